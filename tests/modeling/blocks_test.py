# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What residual blocks do with shapes, dilation and their shortcut."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from official_cvrl.modeling import blocks
from tests import replicas

_BLOCKS = (("bottleneck", blocks.BottleneckBlock), ("basic", blocks.BasicBlock))


def _frames(count, channels):
    return tf.random.stateless_normal([count, 6, 8, channels], [1, 2])


def _seeded_block(policy):
    tf.keras.utils.set_random_seed(0)
    block = blocks.BasicBlock(2, temporal_kernel_size=3, spatial_stride=2, dtype=policy)
    block.build([None, None, None, 3])
    return block


def _gradients(block, frames, recompute):
    def apply(frames):
        return block(frames, 4, training=True)

    with tf.GradientTape() as tape:
        outputs = (blocks.recomputed(apply) if recompute else apply)(frames)
        loss = tf.reduce_sum(tf.cast(outputs, block.variable_dtype) ** 3)
    return tape.gradient(loss, block.trainable_variables)


def _as_float64(tensor):
    return tf.cast(tensor, tf.float64).numpy()


class BlocksTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.named_parameters(*_BLOCKS)
    def test_block_without_residual_is_the_rectified_input(self, block_class):
        block = block_class(2)
        frames = _frames(4, block.output_filters)
        block(frames, 2)
        block.norms[-1].gamma.assign(tf.zeros_like(block.norms[-1].gamma))
        self.assertIsNone(block.shortcut_convolution)
        self.assertAllClose(block(frames, 2), tf.nn.relu(frames))

    @parameterized.named_parameters(*_BLOCKS)
    def test_strided_block_without_residual_is_its_strided_shortcut(self, block_class):
        block = block_class(2, temporal_stride=2, spatial_stride=2)
        frames = _frames(2 * 3, 5)
        block(frames, 3)
        block.norms[-1].gamma.assign(tf.zeros_like(block.norms[-1].gamma))
        outputs = block(frames, 3)
        clips = tf.reshape(frames, [2, 3, 6, 8, 5])[:, ::2, ::2, ::2]
        expected = tf.nn.relu(clips @ block.shortcut_convolution.kernel[0, 0, 0])
        self.assertEqual(block.output_frames(3), 2)
        # The shortcut's batch norm has its initial statistics, 0 and 1 + ε.
        self.assertAllClose(outputs, tf.reshape(expected, [4, 3, 4, -1]), rtol=1e-4)

    @parameterized.named_parameters(*_BLOCKS)
    def test_dilated_block_sees_each_second_pixel(self, block_class):
        dilated = block_class(2, temporal_kernel_size=3, spatial_dilation=2)
        plain = block_class(2, temporal_kernel_size=3)
        frames = _frames(4, 5)
        everywhere = dilated(frames, 4)
        plain(frames, 4)
        plain.set_weights(dilated.get_weights())
        self.assertAllClose(everywhere[:, ::2, ::2], plain(frames[:, ::2, ::2], 4), 1e-5, 1e-5)
        self.assertAllClose(everywhere[:, 1::2, ::2], plain(frames[:, 1::2, ::2], 4), 1e-5, 1e-5)

    @parameterized.named_parameters(*_BLOCKS)
    def test_sees_neighbouring_frames_only_by_its_temporal_kernel(self, block_class):
        for kernel_size, reach in ((1, 0), (3, 1)):
            block = block_class(2, temporal_kernel_size=kernel_size)
            frames = _frames(7, 5)
            moved = tf.tensor_scatter_nd_add(frames, [[3]], tf.ones([1, 6, 8, 5]))
            change = tf.reduce_max(tf.abs(block(frames, 7) - block(moved, 7)), axis=[1, 2, 3])
            changed = [index for index, size in enumerate(change) if size > 0]
            self.assertEqual(changed, list(range(3 - reach, 3 + reach + 1)))

    @parameterized.parameters(
        ("float64", False, 1e-12),
        ("mixed_float16", False, 1e-2),
        ("float32", True, 1e-5),
        ("mixed_bfloat16", True, 2e-2),
    )
    def test_recomputation_changes_no_number(self, policy, jit_compile, tolerance):
        results = []
        for recompute in (False, True):
            block = _seeded_block(policy)
            step = tf.function(_gradients, jit_compile=jit_compile, autograph=False)
            frames = tf.cast(_frames(4, 3), block.compute_dtype)
            results.append((*step(block, frames, recompute), block.norms[0].moving_mean))
        for got, expected in zip(*tf.nest.map_structure(_as_float64, results[::-1]), strict=True):
            self.assertGreater(np.linalg.norm(expected), 0)
            self.assertLess(np.linalg.norm(got - expected), tolerance * np.linalg.norm(expected))

    def test_recomputation_learns_from_the_batch_of_all_replicas_once(self):
        strategy = replicas.two_replicas()
        frames = tf.cast(_frames(8, 3), "float64")
        halves = strategy.experimental_distribute_values_from_function(
            lambda context: frames[4 * context.replica_id_in_sync_group :][:4]
        )
        with strategy.scope():
            block = _seeded_block("float64")
        one = _seeded_block("float64")
        run = tf.function(lambda: strategy.run(_gradients, args=(block, halves, True)))
        gradients = [tf.add_n(strategy.experimental_local_results(part)) for part in run()]
        self.assertAllClose(gradients, _gradients(one, frames, False), 1e-9, 1e-9)
        for variable, expected in zip(
            block.non_trainable_variables, one.non_trainable_variables, strict=True
        ):
            for value in strategy.experimental_local_results(variable):
                self.assertAllClose(value, expected, 1e-12, 1e-12)


if __name__ == "__main__":
    tf.test.main()
