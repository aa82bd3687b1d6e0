# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What residual blocks do with shapes, dilation and their shortcut."""

import tensorflow as tf
from absl.testing import parameterized

from official_cvrl.modeling import blocks

_BLOCKS = (("bottleneck", blocks.BottleneckBlock), ("basic", blocks.BasicBlock))


def _frames(count, channels):
    return tf.random.stateless_normal([count, 6, 8, channels], [1, 2])


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


if __name__ == "__main__":
    tf.test.main()
