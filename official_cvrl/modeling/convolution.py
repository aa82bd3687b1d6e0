# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""3-D convolution over 4-D activations, as 2-D convolution where the kernel allows it.

Clips travel through the backbone as frames, [batch * num_frames, height, width, channels]; who
needs time is told `num_frames`. On CPUs 2-D is faster for kernels that span space or time alone.
"""

import tensorflow as tf


def dimension(tensor, axis):
    """Length of one axis: an int where it is known, else a scalar int32 tensor."""
    return tf.shape(tensor)[axis] if tensor.shape[axis] is None else tensor.shape[axis]


def strided_length(length, stride):
    """⌈length / stride⌉: what "same" padding leaves of `length` positions."""
    return -(-length // stride)


class Convolution(tf.keras.layers.Layer):
    """A 3-D convolution without bias, padded as `tf.keras.layers.Conv3D(padding="same")`.

    Its one variable, `kernel`, is [time, height, width, in, out], as in `Conv3D`.
    """

    def __init__(
        self,
        filters,
        kernel_size,
        *,
        temporal_stride=1,
        spatial_stride=1,
        spatial_dilation=1,
        kernel_initializer="VarianceScaling",
        **kwargs,
    ):
        """Creates the layer.

        Args:
            filters: Number of output channels.
            kernel_size: (time, height, width) of the kernel.
            temporal_stride: Step between output frames.
            spatial_stride: Step between output rows and columns.
            spatial_dilation: Distance between the kernel's rows and columns.
            kernel_initializer: Any Keras initializer; the default is the published code's:
                truncated normal of variance 1 / fan-in.
            **kwargs: Arguments of `tf.keras.layers.Layer`.

        Raises:
            ValueError: If a number is not a positive integer, stride and dilation are both above
                1, or a kernel to be dilated has no middle.
        """
        super().__init__(**kwargs)
        self.filters = _positive("filters", filters)
        if len(kernel_size) != 3:
            raise ValueError(f"kernel_size must be (time, height, width), got {kernel_size}")
        self.kernel_size = tuple(_positive("kernel_size", size) for size in kernel_size)
        self.temporal_stride = _positive("temporal_stride", temporal_stride)
        self.spatial_stride = _positive("spatial_stride", spatial_stride)
        self.spatial_dilation = _positive("spatial_dilation", spatial_dilation)
        if spatial_stride > 1 and spatial_dilation > 1:
            raise ValueError(
                "spatial_stride and spatial_dilation cannot both be above 1, got "
                f"{spatial_stride} and {spatial_dilation}"
            )
        if spatial_dilation > 1 and not all(size % 2 for size in kernel_size[1:]):
            raise ValueError(f"kernel_size must be odd in space to be dilated, got {kernel_size}")
        self.kernel_initializer = tf.keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        """Creates the kernel for inputs of `input_shape[-1]` channels."""
        self.kernel = self.add_weight(
            name="kernel",
            shape=[*self.kernel_size, input_shape[-1], self.filters],
            initializer=self.kernel_initializer,
        )
        super().build(input_shape)

    def call(self, frames, num_frames):
        """Convolves.

        Args:
            frames: [batch * num_frames, height, width, channels], floating point.
            num_frames: Frames per clip; an int, or a scalar tensor.

        Returns:
            [batch * ⌈num_frames / temporal_stride⌉, ⌈height / spatial_stride⌉,
            ⌈width / spatial_stride⌉, filters].
        """
        time, height, width = self.kernel_size
        if time == 1:
            return self._over_space(self._every_nth_frame(frames, num_frames))
        if height == width == 1:
            return self._over_time(self._every_nth_pixel(frames), num_frames)
        if self.spatial_dilation > 1:
            return self._over_grids(frames, lambda grids: self._over_both(grids, num_frames))
        return self._over_both(frames, num_frames)

    def output_frames(self, num_frames):
        """Frames per clip of the output, given those of the input."""
        return strided_length(num_frames, self.temporal_stride)

    def _over_space(self, frames):
        kernel = self.kernel[0]
        if self.kernel_size[1:] == (1, 1):
            return tf.nn.conv2d(self._every_nth_pixel(frames), kernel, 1, "SAME")
        if self.spatial_dilation > 1:
            return self._over_grids(frames, lambda grids: tf.nn.conv2d(grids, kernel, 1, "SAME"))
        # One row stays one row; oneDNN's bfloat16 gradient of a strided kernel over it is wrong.
        strides = [1 if frames.shape[axis] == 1 else self.spatial_stride for axis in (1, 2)]
        return tf.nn.conv2d(frames, kernel, strides, "SAME")

    def _over_grids(self, frames, convolve):
        # TensorFlow has no gradient of a dilated convolution on CPUs. Each pixel meets only those
        # at multiples of the dilation, so the grids that these form are convolved undilated.
        dilation = self.spatial_dilation
        rest = [[0, -dimension(frames, axis) % dilation] for axis in (1, 2)]
        grids = tf.space_to_batch(frames, [dilation, dilation], rest)
        return tf.batch_to_space(convolve(grids), [dilation] * 2, rest)

    def _over_both(self, frames, num_frames):
        # Neighbouring frames as channels of a 2-D convolution were measured too: slower.
        strides = [1, self.temporal_stride, self.spatial_stride, self.spatial_stride, 1]
        clips, padding = as_clips(frames, num_frames), "SAME"
        if not isinstance(num_frames, int) or 1 < num_frames < self.kernel_size[0]:
            # Else, of clips shorter than the kernel, oneDNN's gradient of a bfloat16 kernel holds
            # memory that was never written (oneDNN 3.7, CPUs with AVX512-BF16). Not by tf.pad,
            # which TensorFlow's optimizer tries to fuse with the convolution, and fails.
            paddings = self._same_paddings(clips, strides)
            clips, padding = tf.space_to_batch(clips, [1, 1, 1], paddings), "VALID"
        return as_frames(tf.nn.conv3d(clips, self.kernel, strides, padding))

    def _same_paddings(self, clips, strides):
        return [
            _same_padding(dimension(clips, axis), size, strides[axis])
            for axis, size in enumerate(self.kernel_size, start=1)
        ]

    def _over_time(self, frames, num_frames):
        height, width, channels = (dimension(frames, axis) for axis in (1, 2, 3))
        rows = tf.reshape(frames, [-1, num_frames, height * width, channels])
        rows = _over_rows(rows, self.kernel[:, :, 0], self.temporal_stride)
        return tf.reshape(rows, [-1, height, width, self.filters])

    def _every_nth_pixel(self, frames):
        # Slicing first: a strided 1×1 convolution would read what it then passes over.
        stride = self.spatial_stride
        return frames if stride == 1 else _every_nth_pixel(frames, stride)

    def _every_nth_frame(self, frames, num_frames):
        if self.temporal_stride == 1:
            return frames
        return as_frames(as_clips(frames, num_frames)[:, :: self.temporal_stride])


def _every_nth_pixel(frames, stride):
    height, width, channels = frames.shape[1:]
    if height is None or width is None or height % stride or width % stride:
        return frames[:, ::stride, ::stride]
    # Cells of stride × stride pixels, each with its first in front. On CPUs a strided slice takes
    # twenty times as long as tf.slice, and its gradient as the padding that is tf.slice's.
    rows, columns = height // stride, width // stride
    cells = tf.reshape(frames, [-1, rows, stride, columns, stride * channels])
    first = tf.slice(cells, [0] * 5, [-1, -1, 1, -1, channels])
    return tf.reshape(first, [-1, rows, columns, channels])


def _over_rows(rows, kernel, stride):
    """Convolves rows [batch, num_frames, pixels, in] by a kernel [time, 1, in, out].

    The kernel's gradient is a matrix product for each of its frames: oneDNN's own takes two to
    three times as long, in float32 and in bfloat16.
    """
    strides = [1, stride, 1, 1]

    @tf.custom_gradient
    def convolve(rows, kernel):
        def gradient(upstream):
            rows_gradient = tf.raw_ops.Conv2DBackpropInput(
                input_sizes=tf.shape(rows),
                filter=kernel,
                out_backprop=upstream,
                strides=strides,
                padding="SAME",
            )
            return rows_gradient, _rows_kernel_gradient(rows, upstream, kernel.shape[0], stride)

        return tf.nn.conv2d(rows, kernel, strides, "SAME"), gradient

    return convolve(rows, kernel)


def _rows_kernel_gradient(rows, upstream, length, stride):
    num_frames, steps = dimension(rows, 1), dimension(upstream, 1)
    before = _same_padding(num_frames, length, stride)[0]
    products = []
    for at in range(length):
        # The outputs for which this frame of the kernel lies on the clip, and where it lies.
        first = _within(strided_length(before - at, stride), steps)
        last = _within(strided_length(num_frames + before - at, stride), steps)
        start = first * stride + at - before
        seen = rows[:, start : start + (last - first) * stride : stride]
        pair = (tf.reshape(x, [-1, x.shape[-1]]) for x in (seen, upstream[:, first:last]))
        products.append(tf.matmul(*pair, transpose_a=True))
    return tf.expand_dims(tf.stack(products), 1)


def _within(value, most):
    if isinstance(value, int) and isinstance(most, int):
        return min(max(value, 0), most)
    return tf.clip_by_value(value, 0, most)


def _same_padding(length, kernel_size, stride):
    """What "same" padding puts before and behind `length` positions."""
    missing = (strided_length(length, stride) - 1) * stride + kernel_size - length
    missing = max(missing, 0) if isinstance(missing, int) else tf.maximum(missing, 0)
    return [missing // 2, missing - missing // 2]


def _positive(name, value):
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be positive integers, got {value!r}")
    return value


def as_clips(frames, num_frames):
    """Frames [batch * num_frames, ...] as clips [batch, num_frames, ...]."""
    shape = [dimension(frames, axis) for axis in (1, 2, 3)]
    return tf.reshape(frames, [-1, num_frames, *shape])


def as_frames(clips):
    """Clips [batch, num_frames, ...] as frames [batch * num_frames, ...]."""
    shape = [dimension(clips, axis) for axis in (2, 3, 4)]
    return tf.reshape(clips, [-1, *shape])
