# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Batch norm against Keras's synchronised one, in each precision, and across replicas."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from official_cvrl.modeling import normalization
from tests import replicas

_SHAPES = ((6, 3), (4, 3, 5, 3), (2, 4, 3, 5, 3))


def _randomize(layer):
    random = np.random.default_rng(3)
    for variable in layer.variables:
        variable.assign(random.uniform(0.5, 1.5, variable.shape))


def _inputs(shape, dtype):
    """Inputs whose mean and deviation differ from 0 and 1."""
    return tf.constant(np.random.default_rng(4).normal(1.0, 2.0, shape), dtype)


def _outputs_and_gradients(layer, inputs, training):
    weights = tf.constant(np.random.default_rng(5).normal(size=inputs.shape), inputs.dtype)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, training=training)
        loss = tf.reduce_sum(outputs * weights)
    return outputs, tape.gradient(loss, [inputs, layer.gamma, layer.beta])


class BatchNormalizationTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.product(
        shape=_SHAPES,
        dtype_and_tolerance=(("float32", 1e-5), ("float64", 1e-12)),
        training=(False, True),
    )
    def test_equals_keras_synchronized(self, shape, dtype_and_tolerance, training):
        dtype, tolerance = dtype_and_tolerance
        ours = normalization.BatchNormalization(momentum=0.7, epsilon=1e-2, dtype=dtype)
        keras = tf.keras.layers.BatchNormalization(
            momentum=0.7, epsilon=1e-2, synchronized=True, dtype=dtype
        )
        for layer in (ours, keras):
            layer.build(shape)
            _randomize(layer)
        inputs = _inputs(shape, dtype)
        outputs, gradients = _outputs_and_gradients(ours, inputs, training)
        expected, expected_gradients = _outputs_and_gradients(keras, inputs, training)
        self.assertEqual(outputs.dtype, expected.dtype)
        self.assertAllClose(outputs, expected, tolerance, tolerance)
        self.assertAllClose(gradients, expected_gradients, 10 * tolerance, 10 * tolerance)
        self.assertAllClose(ours.variables, keras.variables, tolerance, tolerance)

    def test_small_epsilon_is_kept(self):
        # Of inputs that hardly vary, ε is most of the denominator; some kernels raise it.
        layer = normalization.BatchNormalization(epsilon=1e-5)
        inputs = tf.constant([[[[0.0]]], [[[1e-3]]]])
        outputs = layer(inputs, training=True)
        deviation = 0.5e-3
        self.assertAllClose(outputs[1, 0, 0, 0], deviation / np.sqrt(deviation**2 + 1e-5), 2e-5)

    def test_frozen_layer_keeps_and_uses_its_moving_statistics(self):
        layer = normalization.BatchNormalization()
        inputs = _inputs((6, 3), "float32")
        layer.build(inputs.shape)
        _randomize(layer)
        before = [variable.numpy() for variable in layer.variables]
        expected = layer(inputs, training=False)
        layer.trainable = False
        self.assertAllEqual(layer(inputs, training=True), expected)
        self.assertAllEqual(layer.variables, before)

    def test_moving_statistics_can_be_kept_while_the_batchs_are_used(self):
        layer = normalization.BatchNormalization()
        inputs = _inputs((6, 3), "float32")
        layer.build(inputs.shape)
        before = [variable.numpy() for variable in layer.variables]
        with normalization.moving_statistics_kept():
            with normalization.moving_statistics_kept():
                outputs = layer(inputs, training=True)
            layer(inputs, training=True)
        self.assertAllEqual(layer.variables, before)
        self.assertAllEqual(layer(inputs, training=True), outputs)
        self.assertNotAllClose(layer.moving_mean, tf.zeros([3]))

    @parameterized.parameters("mixed_bfloat16", "mixed_float16")
    def test_statistics_are_float32_under_16_bit_policies(self, policy):
        layer = normalization.BatchNormalization(momentum=0.0, dtype=policy)
        # 300 ± 30 squared is beyond float16, and the mean beyond bfloat16's digits.
        inputs = tf.cast(_inputs((8, 16, 16, 2), "float32") * 15 + 285, layer.compute_dtype)
        outputs = layer(inputs, training=True)
        exact = tf.cast(inputs, tf.float64)
        mean, variance = tf.nn.moments(exact, [0, 1, 2])
        self.assertEqual(outputs.dtype, layer.compute_dtype)
        self.assertEqual({variable.dtype for variable in layer.variables}, {tf.float32})
        self.assertAllClose(layer.moving_mean, mean, 1e-5)
        self.assertAllClose(layer.moving_variance, variance, 1e-4)
        # Half a unit in the last place of bfloat16 at 4 is 2 ** -7.
        expected = (exact - mean) / tf.sqrt(variance + layer.epsilon)
        self.assertAllClose(tf.cast(outputs, tf.float64), expected, atol=2**-6)

    @parameterized.parameters(("float32", 1e-5), ("float64", 1e-12))
    def test_two_replicas_equal_one_on_the_joint_batch(self, dtype, tolerance):
        strategy = replicas.two_replicas()
        one = normalization.BatchNormalization(dtype=dtype)
        with strategy.scope():
            two = normalization.BatchNormalization(dtype=dtype)
            two.build([None, 3])
        one.build([None, 3])
        _randomize(one)
        _randomize(two)
        inputs = _inputs((6, 2, 3), dtype)
        weights = tf.constant(np.random.default_rng(5).normal(size=inputs.shape), dtype)
        # Unequal shares, so that a mean of the replicas' means would be wrong.
        shares = (slice(0, 2), slice(2, 6))

        def replica(layer, inputs, weights):
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                outputs = layer(inputs, training=True)
                loss = tf.reduce_sum(outputs * weights)
            return outputs, *tape.gradient(loss, [inputs, layer.gamma, layer.beta])

        halves = strategy.experimental_distribute_values_from_function(
            lambda context: (
                inputs[shares[context.replica_id_in_sync_group]],
                weights[shares[context.replica_id_in_sync_group]],
            )
        )
        results = tf.function(lambda: strategy.run(replica, args=(two, *halves)))()
        outputs, inputs_gradient, *gradients = map(strategy.experimental_local_results, results)
        expected = replica(one, inputs, weights)
        self.assertAllClose(tf.concat(outputs, 0), expected[0], tolerance, tolerance)
        self.assertAllClose(tf.concat(inputs_gradient, 0), expected[1], tolerance, tolerance)
        for parts, whole in zip(gradients, expected[2:], strict=True):
            self.assertAllClose(tf.add_n(parts), whole, tolerance, tolerance)
        for ours, theirs in zip(two.variables, one.variables, strict=True):
            for value in strategy.experimental_local_results(ours):
                self.assertAllClose(value, theirs, tolerance, tolerance)

    def test_config_round_trip(self):
        layer = normalization.BatchNormalization(momentum=0.5, epsilon=0.1, synchronized=False)
        config = tf.keras.layers.serialize(layer)
        again = tf.keras.layers.deserialize(config)
        self.assertEqual(again.get_config(), layer.get_config())
        self.assertEqual(
            (again.momentum, again.epsilon, again.synchronized),
            (0.5, 0.1, False),
        )

    @parameterized.parameters(
        ({"momentum": 1.5}, "momentum .* 1.5"), ({"epsilon": 0}, "epsilon .* 0")
    )
    def test_refuses(self, kwargs, message):
        with self.assertRaisesRegex(ValueError, message):
            normalization.BatchNormalization(**kwargs)


if __name__ == "__main__":
    tf.test.main()
