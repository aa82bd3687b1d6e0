# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The backbone's sizes, precision, configuration and behaviour across replicas."""

import json

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from official_cvrl.modeling import resnet_3d
from tests import replicas

_TINY = {"depth": 18, "width_multiplier": 0.0625}


def _clips(shape, dtype="float32"):
    return tf.constant(np.random.default_rng(1).uniform(size=shape), dtype)


def _count(**kwargs):
    """Number of a model's parameters; in a graph, variables take no memory."""
    with tf.Graph().as_default():
        return resnet_3d.ResNet3D(**kwargs).count_params()


def _embedding_and_gradients(model, clips):
    with tf.GradientTape() as tape:
        embedding = model(clips, training=True)["embedding"]
        loss = tf.reduce_sum(embedding**3)
    return embedding, tape.gradient(loss, model.trainable_variables)


def _shapes(endpoints):
    return {name: tuple(tensor.shape) for name, tensor in endpoints.items()}


class ResNet3DTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(
        (50, 1, 31_725_248), (101, 1, 59_682_496), (50, 2, 126_594_432), (50, 4, 505_764_608)
    )
    def test_number_of_parameters(self, depth, width_multiplier, expected):
        # The paper's 31.7M, 59.7M, 126.6M and 505.8M.
        self.assertEqual(_count(depth=depth, width_multiplier=width_multiplier), expected)

    def test_endpoints_of_the_default_model(self):
        model = resnet_3d.ResNet3D(width_multiplier=0.25)
        endpoints = tf.function(model).get_concrete_function(
            tf.TensorSpec([2, 16, 224, 224, 3], tf.float32)
        )
        # Table 1 of the paper, a quarter as wide.
        self.assertEqual(
            _shapes(endpoints.structured_outputs),
            {
                "conv2": (2, 8, 56, 56, 64),
                "conv3": (2, 8, 28, 28, 128),
                "conv4": (2, 8, 14, 14, 256),
                "conv5": (2, 8, 7, 7, 512),
                "embedding": (2, 512),
            },
        )
        self.assertEqual(model.embedding_dim, 512)

    def test_small_clips(self):
        model = resnet_3d.ResNet3D(
            stem_temporal_stride=1, stem_spatial_stride=1, stem_pool=False, **_TINY
        )
        endpoints = model(_clips([2, 3, 17, 16, 3]))
        self.assertEqual(endpoints["conv2"].shape, (2, 3, 17, 16, 4))
        self.assertEqual(endpoints["conv5"].shape, (2, 3, 3, 2, 32))

    def test_ava_keeps_conv5_at_stride_16(self):
        published = resnet_3d.ResNet3D(**_TINY)
        model = resnet_3d.ResNet3D(
            spatial_strides=(1, 2, 2, 1), spatial_dilations=(1, 1, 1, 2), **_TINY
        )
        model.set_weights(published.get_weights())
        clips = _clips([1, 4, 64, 64, 3])
        endpoints, expected = model(clips), published(clips)
        self.assertEqual(endpoints["conv5"].shape, (1, 2, 4, 4, 32))
        self.assertAllClose(endpoints["conv4"], expected["conv4"])

    def test_embedding_is_the_mean_of_conv5(self):
        endpoints = resnet_3d.ResNet3D(**_TINY)(_clips([2, 4, 33, 34, 3]))
        expected = np.mean(endpoints["conv5"], axis=(1, 2, 3))
        self.assertAllClose(endpoints["embedding"], expected)
        self.assertGreater(np.std(expected), 1e-3)

    def test_same_with_shapes_known_only_at_run_time(self):
        model = resnet_3d.ResNet3D(**_TINY)
        signature = [tf.TensorSpec([None, None, None, None, 3])]
        encode = tf.function(lambda clips: model(clips), input_signature=signature)
        clips = _clips([2, 5, 33, 34, 3])
        for name, expected in model(clips).items():
            self.assertAllClose(encode(clips)[name], expected, 1e-5, 1e-5)

    # bfloat16 rounds to 8 bits, so each of the many layers adds up to 0.4%; kernels differ in when.
    @parameterized.parameters(("mixed_bfloat16", 0.1), ("mixed_float16", 0.01))
    def test_sixteen_bit_policies(self, policy, tolerance):
        exact = resnet_3d.ResNet3D(**_TINY)
        model = resnet_3d.ResNet3D(dtype=policy, **_TINY)
        model.set_weights(exact.get_weights())
        clips = _clips([4, 4, 48, 48, 3])
        with tf.GradientTape() as tape:
            endpoints = model(clips, training=True)
            loss = tf.reduce_mean(endpoints["embedding"] ** 2)
        expected = exact(clips, training=True)
        self.assertEqual(endpoints["conv5"].dtype, model.compute_dtype)
        self.assertEqual(endpoints["embedding"].dtype, tf.float32)
        self.assertEqual({variable.dtype for variable in model.variables}, {tf.float32})
        deviation = np.linalg.norm(endpoints["embedding"] - expected["embedding"])
        self.assertLess(deviation, tolerance * np.linalg.norm(expected["embedding"]))
        for gradient in tape.gradient(loss, model.trainable_variables):
            self.assertEqual(gradient.dtype, tf.float32)
            self.assertAllInRange(gradient, -1e3, 1e3)

    def test_two_replicas_equal_one_on_the_joint_batch(self):
        strategy = replicas.two_replicas()
        arguments = dict(dtype="float64", **_TINY)
        one = resnet_3d.ResNet3D(**arguments)
        with strategy.scope():
            two = resnet_3d.ResNet3D(**arguments)
        two.set_weights(one.get_weights())
        clips = _clips([4, 4, 33, 34, 3], "float64")

        def replica(model, clips):
            with tf.GradientTape() as tape:
                embedding = model(clips, training=True)["embedding"]
                loss = tf.reduce_sum(embedding**3)
            return embedding, tape.gradient(loss, model.trainable_variables)

        halves = strategy.experimental_distribute_values_from_function(
            lambda context: clips[2 * context.replica_id_in_sync_group :][:2]
        )
        results = tf.function(lambda: strategy.run(replica, args=(two, halves)))()
        embedding, gradients = results
        expected_embedding, expected_gradients = replica(one, clips)
        embedding = tf.concat(strategy.experimental_local_results(embedding), 0)
        self.assertAllClose(embedding, expected_embedding, 1e-9, 1e-9)
        for gradient, expected in zip(gradients, expected_gradients, strict=True):
            gradient = tf.add_n(strategy.experimental_local_results(gradient))
            self.assertAllClose(gradient, expected, 1e-8, 1e-8)
        for variable, expected in zip(two.variables, one.variables, strict=True):
            for value in strategy.experimental_local_results(variable):
                self.assertAllClose(value, expected, 1e-9, 1e-9)

    def test_recomputation_convolves_forward_twice_and_changes_no_number(self):
        clips = _clips([2, 4, 32, 32, 3])
        results, counts = [], []
        for recompute in (False, True):
            tf.keras.utils.set_random_seed(0)
            model = resnet_3d.ResNet3D(recompute=recompute, **_TINY)
            step = tf.function(_embedding_and_gradients, autograph=False)
            step = step.get_concrete_function(model, clips)
            types = [operation.type for operation in step.graph.get_operations()]
            counts.append(types.count("Conv2D") + types.count("Conv3D"))
            results.append((*step(clips), model.non_trainable_variables))
        # The stem's, two in each of eight blocks, and three shortcuts'.
        self.assertEqual(counts, [20, 40])
        self.assertAllClose(results[1], results[0], 1e-5, 1e-5)

    def test_batch_norm_arguments_reach_every_layer(self):
        model = resnet_3d.ResNet3D(norm_momentum=0.5, norm_epsilon=0.1, synchronized=False, **_TINY)
        norms = [layer for layer in model.submodules if hasattr(layer, "moving_mean")]
        # The stem's, two in each of eight blocks, and three shortcuts'.
        self.assertLen(norms, 1 + 16 + 3)
        found = {(norm.momentum, norm.epsilon, norm.synchronized) for norm in norms}
        self.assertEqual(found, {(0.5, 0.1, False)})

    def test_initializer_is_drawn_anew_for_each_kernel(self):
        initializer = tf.keras.initializers.HeNormal()
        model = resnet_3d.ResNet3D(kernel_initializer=initializer, **_TINY)
        first, second = (block.convolutions[1].kernel for block in model.stages[0])
        self.assertEqual(first.shape, second.shape)
        self.assertNotAllClose(first, second)

    def test_config_round_trip(self):
        model = resnet_3d.ResNet3D(
            depth=18,
            width_multiplier=0.0625,
            stem_temporal_kernel_size=3,
            stem_temporal_stride=1,
            stem_spatial_stride=1,
            stem_pool=False,
            temporal_kernel_sizes=(1, [3, 1], 3, 1),
            temporal_strides=(1, 1, 2, 1),
            spatial_strides=(1, 2, 2, 1),
            spatial_dilations=(1, 1, 1, 2),
            norm_momentum=0.5,
            norm_epsilon=0.1,
            synchronized=False,
            kernel_initializer=tf.keras.initializers.HeNormal(),
            recompute=True,
            dtype="float64",
        )
        config = json.loads(json.dumps(tf.keras.layers.serialize(model)))
        again = tf.keras.layers.deserialize(config)
        self.assertEqual(again.get_config(), model.get_config())
        self.assertTrue(again.recompute)
        again.set_weights(model.get_weights())
        clips = _clips([1, 4, 16, 16, 3])
        self.assertAllEqual(again(clips)["conv5"], model(clips)["conv5"])

    def test_configs_of_before_recomputation_are_read(self):
        config = resnet_3d.ResNet3D(**_TINY).get_config()
        del config["recompute"]
        self.assertFalse(resnet_3d.ResNet3D.from_config(config).recompute)

    @parameterized.parameters(
        ({"depth": 51}, "depth .* 51"),
        ({"width_multiplier": 0}, "width_multiplier .* 0"),
        ({"temporal_kernel_sizes": (1, 3)}, r"temporal_kernel_sizes .* \(1, 3\)"),
        ({"temporal_kernel_sizes": (1, (3, 1), 3, 3)}, r"temporal_kernel_sizes .*\(3, 1\)"),
        ({"spatial_strides": (1, 2, 2, 0)}, "spatial_stride .* 0"),
        ({"spatial_dilations": (1, 1, 1, 2)}, "spatial_dilation .* 2 and 2"),
        ({"stem_temporal_kernel_size": 0}, "kernel_size .* 0"),
    )
    def test_refuses(self, kwargs, message):
        with self.assertRaisesRegex(ValueError, message):
            resnet_3d.ResNet3D(**kwargs)


if __name__ == "__main__":
    tf.test.main()
