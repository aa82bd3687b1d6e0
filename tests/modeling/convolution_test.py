# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The 2-D computation of 3-D convolutions against TensorFlow's own 3-D kernel, in float64."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from official_cvrl.modeling import convolution

# Kernel size, temporal stride, spatial stride, spatial dilation.
_CASES = (
    ("spatial", (1, 3, 3), 1, 1, 1),
    ("spatial_strided", (1, 3, 3), 1, 2, 1),
    ("spatial_strided_in_time", (1, 3, 3), 2, 1, 1),
    ("spatial_dilated", (1, 3, 3), 1, 1, 2),
    ("temporal", (3, 1, 1), 1, 1, 1),
    ("temporal_strided", (3, 1, 1), 2, 1, 1),
    ("temporal_strided_in_space", (3, 1, 1), 1, 2, 1),
    ("pointwise", (1, 1, 1), 1, 1, 1),
    ("pointwise_strided", (1, 1, 1), 2, 2, 1),
    ("stem", (5, 7, 7), 2, 2, 1),
    ("stem_unstrided", (5, 7, 7), 1, 1, 1),
    ("full", (3, 3, 3), 1, 2, 1),
    ("full_even_kernel", (2, 3, 3), 3, 1, 1),
    ("spatial_dilated_more", (1, 3, 5), 2, 1, 3),
    ("full_dilated", (3, 3, 3), 1, 1, 2),
)


def _dilated(kernel, dilation):
    """The kernel with zeros between its rows and columns: TensorFlow's has no dilation on CPUs."""
    if dilation == 1:
        return kernel
    rows, columns = (dilation * (size - 1) + 1 for size in kernel.shape[1:3])
    spread = np.zeros([kernel.shape[0], rows, columns, *kernel.shape[3:]])
    spread[:, ::dilation, ::dilation] = kernel
    return spread


class ConvolutionTest(tf.test.TestCase, parameterized.TestCase):
    def _layer(self, kernel_size, temporal_stride, spatial_stride, dilation):
        layer = convolution.Convolution(
            4,
            kernel_size,
            temporal_stride=temporal_stride,
            spatial_stride=spatial_stride,
            spatial_dilation=dilation,
            dtype="float64",
        )
        layer.build([None, None, None, 3])
        return layer

    @parameterized.named_parameters(*_CASES)
    def test_equals_conv3d_with_gradients(self, kernel_size, temporal, spatial, dilation):
        layer = self._layer(kernel_size, temporal, spatial, dilation)
        random = np.random.default_rng(1)
        for shape in ((2, 6, 8, 9, 3), (1, 7, 5, 6, 3), (2, 1, 4, 4, 3)):
            clips = tf.Variable(random.normal(size=shape))
            kernel = tf.Variable(_dilated(layer.kernel.numpy(), dilation))
            strides = [1, temporal, spatial, spatial, 1]
            with tf.GradientTape(persistent=True) as tape:
                expected = tf.nn.conv3d(clips, kernel, strides, "SAME")
                outputs = layer(tf.reshape(clips, [-1, *shape[2:]]), shape[1])
                outputs = tf.reshape(outputs, expected.shape)
                weights = random.normal(size=expected.shape)
                expected_loss = tf.reduce_sum(expected * weights)
                loss = tf.reduce_sum(outputs * weights)
            self.assertEqual(layer.output_frames(shape[1]), expected.shape[1])
            self.assertAllClose(outputs, expected, 1e-10, 1e-10)
            self.assertAllClose(
                tape.gradient(loss, clips), tape.gradient(expected_loss, clips), 1e-10, 1e-10
            )
            kernel_gradient = tape.gradient(expected_loss, kernel)[:, ::dilation, ::dilation]
            self.assertAllClose(tape.gradient(loss, layer.kernel), kernel_gradient, 1e-10, 1e-10)

    @parameterized.named_parameters(*_CASES)
    def test_same_with_shapes_known_only_at_run_time(self, *arguments):
        layer = self._layer(*arguments)

        def outputs_and_gradients(frames, num_frames):
            with tf.GradientTape() as tape:
                tape.watch(frames)
                outputs = layer(frames, num_frames)
                loss = tf.reduce_sum(tf.sin(outputs))
            return outputs, *tape.gradient(loss, [frames, layer.kernel])

        unknown = [tf.TensorSpec([None, None, None, 3], tf.float64), tf.TensorSpec([], tf.int32)]
        at_run_time = tf.function(outputs_and_gradients, input_signature=unknown)
        frames = tf.random.stateless_normal([2 * 6, 7, 8, 3], [1, 2], dtype=tf.float64)
        for found, expected in zip(
            at_run_time(frames, 6), outputs_and_gradients(frames, 6), strict=True
        ):
            self.assertAllClose(found, expected, 1e-12, 1e-12)

    # With memory in reach that holds large numbers: a kernel that reads what it never wrote shows.
    @parameterized.product(kernel_size=((3, 3, 3), (5, 3, 3), (3, 1, 1)), num_frames=(1, 2, 3, 4))
    def test_bfloat16_gradients_of_short_clips(self, kernel_size, num_frames):
        frames = tf.random.stateless_normal([4 * num_frames, 4, 4, 16], [1, 2])
        layers = [
            convolution.Convolution(16, kernel_size, dtype=policy)
            for policy in ("float32", "mixed_bfloat16")
        ]
        gradients = []
        for layer in layers:
            layer.build([None, None, None, 16])
            layer.kernel.assign(layers[0].kernel)
            with tf.GradientTape() as tape:
                outputs = layer(frames, num_frames)
                loss = tf.reduce_sum(tf.square(tf.cast(outputs, tf.float32)))
            del outputs
            for size in (2**power for power in range(6, 19)):
                [tf.fill([size], 1e15) for _ in range(4)]
            gradients.append(tape.gradient(loss, layer.kernel).numpy())
        deviation = np.linalg.norm(gradients[1] - gradients[0])
        self.assertLess(deviation, 0.03 * np.linalg.norm(gradients[0]))

    @parameterized.named_parameters(
        ("filters", (0, (1, 1, 1)), {}, "filters .* 0"),
        ("sizes", (1, (1, 3)), {}, r"kernel_size .* \(1, 3\)"),
        ("size", (1, (1, 3, 0.5)), {}, "kernel_size .* 0.5"),
        ("temporal_stride", (1, (1, 1, 1)), {"temporal_stride": 0}, "temporal_stride .* 0"),
        (
            "stride_and_dilation",
            (1, (1, 3, 3)),
            {"spatial_stride": 2, "spatial_dilation": 3},
            "2 and 3",
        ),
        ("even_and_dilated", (1, (1, 2, 3)), {"spatial_dilation": 2}, r"odd .* \(1, 2, 3\)"),
    )
    def test_refuses(self, args, kwargs, message):
        with self.assertRaisesRegex(ValueError, message):
            convolution.Convolution(*args, **kwargs)


if __name__ == "__main__":
    tf.test.main()
