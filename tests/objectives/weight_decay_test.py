# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Weight decay touches kernels and nothing else."""

import tensorflow as tf

from official_cvrl.objectives import weight_decay


class WeightDecayTest(tf.test.TestCase):
    def test_half_the_squared_norm_of_kernels_only(self):
        variables = [
            tf.Variable([[3.0, 4.0]], name="conv1/kernel"),
            tf.Variable([10.0], name="conv1/bias"),
            tf.Variable([10.0], name="kernel_norm/gamma"),
            tf.Variable([1.0], name="dense/kernel"),
        ]
        self.assertAllClose(weight_decay.kernel_l2_loss(variables, 0.1), 0.1 * (25 + 1) / 2)

    def test_zero_without_decay_or_kernels(self):
        kernel = tf.Variable([1.0], name="kernel")
        self.assertEqual(weight_decay.kernel_l2_loss([kernel], 0.0), 0.0)
        self.assertEqual(weight_decay.kernel_l2_loss([], 1.0), 0.0)


if __name__ == "__main__":
    tf.test.main()
