# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Schedules at their corners; updates by hand; gradients averaged over replicas."""

import math

import tensorflow as tf
from absl.testing import parameterized

from official_cvrl import optimizers
from tests import replicas


class ScheduleTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(0, 50, 100, 325, 550, 999, 1000)
    def test_cosine_with_warmup(self, step):
        schedule = optimizers.warmup_cosine(learning_rate=2.0, total_steps=1000, warmup_steps=100)
        peak = 1 + math.cos(math.pi * 0.1)
        expected = peak * step / 100 if step < 100 else 1 + math.cos(math.pi * step / 1000)
        self.assertAllClose(schedule(step), expected, atol=1e-6)

    def test_step_decay(self):
        schedule = optimizers.warmup_steps_decay(
            learning_rate=1.0, boundaries=[8, 11], total_steps=12, warmup_steps=4
        )
        rates = [float(schedule(step)) for step in (0, 2, 4, 8, 9, 12)]
        self.assertAllClose(rates, [0, 0.5, 1, 1, 0.1, 0.01], atol=1e-6)

    def test_rate_scales_with_the_batch(self):
        rate = optimizers.scaled_rate(
            learning_rate=0.32, reference_batch_size=1024, global_batch_size=256
        )
        self.assertAllClose(rate, 0.08)

    @parameterized.parameters(
        {"boundaries": [11, 8], "total_steps": 12}, {"boundaries": [8, 12], "total_steps": 12}
    )
    def test_refuses_boundaries(self, **arguments):
        with self.assertRaisesRegex(ValueError, "must increase and lie below total_steps=12"):
            optimizers.warmup_steps_decay(learning_rate=1.0, **arguments)

    def test_a_share_of_the_run_is_warmed_up(self):
        by_share, by_steps = (
            optimizers.warmup_cosine(learning_rate=1.0, total_steps=600, warmup_steps=warmup)
            for warmup in (0.0333, 20)
        )
        for step in (0, 1, 19, 20, 300):
            self.assertEqual(by_share(step).numpy(), by_steps(step).numpy())
        optimizers.warmup_cosine(learning_rate=1.0, total_steps=1, warmup_steps=0.0333)

    def test_refuses_a_warmup_as_long_as_the_run(self):
        with self.assertRaisesRegex(
            ValueError, "warmup_steps=5 must be .* less than total_steps=5"
        ):
            optimizers.warmup_cosine(learning_rate=1.0, total_steps=5, warmup_steps=5)


class UpdateTest(tf.test.TestCase, parameterized.TestCase):
    def _steps(self, optimizer, count=2):
        weight = tf.Variable([2.0], name="kernel")
        for _ in range(count):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(tf.square(weight)) / 2
            optimizers.minimize(optimizer, tape, loss, [weight])
        return float(weight[0])

    def test_momentum_is_not_nesterovs(self):
        # v1 = 0.2, w1 = 1.8; v2 = 0.9 * 0.2 + 0.18, w2 = 1.8 - 0.36.
        self.assertAllClose(self._steps(optimizers.sgd(learning_rate=0.1)), 1.44)

    def test_loss_scaling_changes_nothing_but_range(self):
        scaled = tf.keras.mixed_precision.LossScaleOptimizer(optimizers.sgd(learning_rate=0.1))
        self.assertAllClose(self._steps(scaled), 1.44)

    @parameterized.parameters("float32", "mixed_float16")
    def test_a_step_is_traced_once(self, policy):
        tf.keras.mixed_precision.set_global_policy(policy)
        self.addCleanup(tf.keras.mixed_precision.set_global_policy, "float32")
        weight, traces = tf.Variable([2.0]), []
        optimizer = optimizers.prepare(optimizers.sgd(learning_rate=0.1), [weight])

        @tf.function
        def step():
            traces.append("trace")
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(tf.square(weight)) / 2
            optimizers.minimize(optimizer, tape, loss, [weight])

        step()
        step()
        self.assertLen(traces, 1)
        self.assertAllClose(weight, [1.44])

    def test_lars_adapts_kernels_but_not_biases(self):
        optimizer = optimizers.lars(learning_rate=1.0, momentum=0.0)
        kernel = tf.Variable([2.0], name="dense/kernel")
        bias = tf.Variable([2.0], name="dense/bias")
        with tf.GradientTape() as tape:
            loss = 3 * tf.reduce_sum(kernel) + tf.reduce_sum(bias)
        optimizers.minimize(optimizer, tape, loss, [kernel, bias])
        self.assertAllClose(kernel, [2 - 0.001 * 2 / 3 * 3])
        self.assertAllClose(bias, [1.0])

    def test_names_variables_without_a_gradient(self):
        used, unused = tf.Variable(1.0, name="used"), tf.Variable(1.0, name="forgotten")
        with tf.GradientTape() as tape:
            loss = used * used
        with self.assertRaisesRegex(ValueError, "forgotten"):
            optimizers.minimize(optimizers.sgd(learning_rate=0.1), tape, loss, [used, unused])

    @parameterized.parameters("float32", "float16")
    def test_two_replicas_average_their_gradients(self, precision):
        strategy = replicas.two_replicas()
        with strategy.scope():
            weight = tf.Variable(0.0)
            optimizer = optimizers.sgd(learning_rate=1.0, momentum=0.0)
            if precision == "float16":
                optimizer = tf.keras.mixed_precision.LossScaleOptimizer(optimizer)

        def step():
            index = tf.distribute.get_replica_context().replica_id_in_sync_group
            with tf.GradientTape() as tape:
                loss = weight * tf.cast(1 + 2 * index, tf.float32)
            optimizers.minimize(optimizer, tape, loss, [weight])

        tf.function(lambda: strategy.run(step))()
        self.assertAllClose(weight, -2.0)


if __name__ == "__main__":
    tf.test.main()
