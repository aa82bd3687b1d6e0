# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The residual blocks that stages of the backbone are made of."""

import contextlib
import functools
import itertools

import tensorflow as tf

from official_cvrl.modeling import convolution, normalization


def build_layer(layer, channels):
    """Creates a layer's variables for inputs of `channels`, under the layer's name."""
    with tf.name_scope(layer.name):
        layer.build([None, None, None, channels])


def recomputed(function):
    """Makes a function that forgets what its gradient needs, and runs again to have it.

    Batch norms learn from the batch in the first run alone. Without a gradient nothing changes.

    Args:
        function: of one floating-point tensor, to one; it may read variables.

    Returns:
        A function to be called once.
    """
    runs = itertools.count()

    @tf.recompute_grad
    def run(inputs):
        again = next(runs) > 0
        with normalization.moving_statistics_kept() if again else contextlib.nullcontext():
            return function(inputs)

    return run


class ResidualBlock(tf.keras.layers.Layer):
    """relu(shortcut + convolutions), with batch norm after each convolution.

    Subclasses say which convolutions. The shortcut is the input, or, where the block changes
    its shape, a strided 1×1×1 convolution of it with batch norm.
    """

    expansion = 1

    def __init__(
        self,
        filters,
        *,
        temporal_kernel_size=1,
        temporal_stride=1,
        spatial_stride=1,
        spatial_dilation=1,
        make_norm=normalization.BatchNormalization,
        kernel_initializer="VarianceScaling",
        **kwargs,
    ):
        """Creates the block.

        Args:
            filters: Channels inside the block; it gives `filters * expansion`.
            temporal_kernel_size: Frames that the block's first convolution spans.
            temporal_stride: Step between output frames, taken by the first convolution.
            spatial_stride: Step between output rows and columns.
            spatial_dilation: Distance between rows and columns of the 3×3 kernels.
            make_norm: Makes a batch norm; called with `dtype` and `name`.
            kernel_initializer: Any Keras initializer.
            **kwargs: Arguments of `tf.keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.filters = filters
        self.temporal_kernel_size = temporal_kernel_size
        self.temporal_stride = temporal_stride
        self.spatial_stride = spatial_stride
        self.spatial_dilation = spatial_dilation
        self._make_norm = functools.partial(make_norm, dtype=self.dtype_policy)
        self._make_convolution = functools.partial(
            convolution.Convolution,
            kernel_initializer=kernel_initializer,
            dtype=self.dtype_policy,
        )
        self.convolutions = self._make_convolutions()
        self.norms = [
            self._make_norm(name=f"norm{index}") for index in range(1, len(self.convolutions) + 1)
        ]
        self.shortcut_convolution = None
        self.shortcut_norm = None

    def _make_convolutions(self):
        raise NotImplementedError

    @property
    def output_filters(self):
        """Channels of what the block gives."""
        return self.filters * self.expansion

    def build(self, input_shape):
        """Creates the variables for inputs of `input_shape[-1]` channels."""
        channels = input_shape[-1]
        strided = self.temporal_stride > 1 or self.spatial_stride > 1
        if strided or channels != self.output_filters:
            self._build_shortcut(channels)
        for layer, norm in zip(self.convolutions, self.norms, strict=True):
            build_layer(layer, channels)
            channels = layer.filters
            build_layer(norm, channels)
        super().build(input_shape)

    def _build_shortcut(self, channels):
        self.shortcut_convolution = self._make_convolution(
            self.output_filters,
            (1, 1, 1),
            temporal_stride=self.temporal_stride,
            spatial_stride=self.spatial_stride,
            name="shortcut",
        )
        self.shortcut_norm = self._make_norm(name="shortcut_norm")
        build_layer(self.shortcut_convolution, channels)
        build_layer(self.shortcut_norm, self.output_filters)

    def call(self, frames, num_frames, training=False):
        """Applies the block.

        Args:
            frames: [batch * num_frames, height, width, channels].
            num_frames: Frames per clip; an int, or a scalar tensor.
            training: Whether batch norms use the batch's statistics.

        Returns:
            [batch * output_frames(num_frames), ⌈height / spatial_stride⌉,
            ⌈width / spatial_stride⌉, output_filters].
        """
        shortcut = frames
        if self.shortcut_convolution is not None:
            shortcut = self.shortcut_convolution(frames, num_frames)
            shortcut = self.shortcut_norm(shortcut, training=training)
        for layer, norm in zip(self.convolutions, self.norms, strict=True):
            if layer is not self.convolutions[0]:
                frames = tf.nn.relu(frames)
            frames = norm(layer(frames, num_frames), training=training)
            num_frames = layer.output_frames(num_frames)
        return tf.nn.relu(frames + shortcut)

    def output_frames(self, num_frames):
        """Frames per clip of the output, given those of the input."""
        return convolution.strided_length(num_frames, self.temporal_stride)


class BottleneckBlock(ResidualBlock):
    """k×1×1, then 1×3×3, then 1×1×1 to four times the channels (Table 1 of the paper)."""

    expansion = 4

    def _make_convolutions(self):
        return [
            self._make_convolution(
                self.filters,
                (self.temporal_kernel_size, 1, 1),
                temporal_stride=self.temporal_stride,
                name="conv1",
            ),
            self._make_convolution(
                self.filters,
                (1, 3, 3),
                spatial_stride=self.spatial_stride,
                spatial_dilation=self.spatial_dilation,
                name="conv2",
            ),
            self._make_convolution(self.output_filters, (1, 1, 1), name="conv3"),
        ]


class BasicBlock(ResidualBlock):
    """k×3×3, then 1×3×3, both of the same number of channels."""

    def _make_convolutions(self):
        return [
            self._make_convolution(
                self.filters,
                (self.temporal_kernel_size, 3, 3),
                temporal_stride=self.temporal_stride,
                spatial_stride=self.spatial_stride,
                spatial_dilation=self.spatial_dilation,
                name="conv1",
            ),
            self._make_convolution(
                self.filters, (1, 3, 3), spatial_dilation=self.spatial_dilation, name="conv2"
            ),
        ]
