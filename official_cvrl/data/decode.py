# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""JPEG frames of a video to pixels: what can be read, how large it is, and windows of it."""

from collections.abc import Callable

import tensorflow as tf

from official_cvrl.data import faults

_MAGIC = b"\xff\xd8\xff"
_END = b"\xff\xd9"


def readable(encoded: tf.Tensor, *, example_id: tf.Tensor) -> tf.Tensor:
    """Returns the frames as they are, if all of them are whole JPEGs of one size.

    Args:
        encoded: string [num_frames].
        example_id: string [], named in the errors.

    Raises:
        tf.errors.InvalidArgumentError: a frame is not JPEG or is cut off, or sizes differ.
    """
    starts = tf.strings.substr(encoded, 0, len(_MAGIC))
    ends = tf.strings.substr(encoded, -len(_END), len(_END))
    whole = tf.reduce_all(tf.strings.join([starts, ends]) == _MAGIC + _END)
    encoded = faults.guarded(whole, encoded, lambda: _try(encoded, example_id))
    sizes = for_each(tf.io.extract_jpeg_shape, encoded, dtype=tf.int32)[:, :2]
    same = tf.reduce_all(sizes == sizes[0])
    return faults.guarded(same, encoded, lambda: faults.fail(example_id, _sizes_differ(sizes)))


def frame_size(encoded: tf.Tensor) -> tf.Tensor:
    """Returns int32 [2], height and width of a JPEG, string []; only its header is read."""
    return tf.io.extract_jpeg_shape(encoded)[:2]


def decode_window(encoded: tf.Tensor, window: tf.Tensor) -> tf.Tensor:
    """Decodes the same window of all frames; equals that window of the decoded frames.

    Args:
        encoded: string [num_frames], JPEGs of one size.
        window: int32 [4]: top, left, height, width.

    Returns:
        uint8 [num_frames, height, width, 3].
    """
    top, left, height, width = tf.unstack(window)
    # Chroma of half the width is interpolated; in the outermost columns of a window the decoder
    # does not know the neighbour, so it gets one more on each side.
    start = tf.maximum(left - 1, 0)
    end = tf.minimum(left + width + 1, frame_size(encoded[0])[1])
    wider = tf.stack([top, start, height, end - start])
    frames = for_each(
        lambda frame: tf.io.decode_and_crop_jpeg(frame, wider, channels=3), encoded, dtype=tf.uint8
    )
    return frames[:, :, left - start : left - start + width]


def for_each(function: Callable, encoded: tf.Tensor, *, dtype: tf.DType) -> tf.Tensor:
    """Returns the results of a function of one frame, stacked.

    Without a loop where the number of frames is known.
    """
    if encoded.shape[0] is None:
        return tf.map_fn(function, encoded, fn_output_signature=dtype)
    return tf.stack([function(frame) for frame in tf.unstack(encoded)])


def _try(encoded, example_id):
    """Decodes what does not end as JPEGs do; a few writers put something behind the end."""
    fault = "has a frame that is no whole JPEG (cut off, or PNG?); encode every frame as RGB JPEG"
    decodable = _num_decodable(encoded) == tf.size(encoded)
    return tf.cond(decodable, tf.no_op, lambda: faults.fail(example_id, fault))


def _num_decodable(encoded):
    # `decode_jpeg` alone decodes PNG, too.
    decoded = tf.data.Dataset.from_tensor_slices(encoded).map(
        lambda frame: (tf.io.extract_jpeg_shape(frame), tf.io.decode_jpeg(frame))
    )
    return decoded.ignore_errors().reduce(0, lambda count, *_: count + 1)


def _sizes_differ(sizes):
    other = sizes[tf.argmax(tf.reduce_any(sizes != sizes[0], axis=1))]
    names = [
        tf.strings.reduce_join(tf.strings.as_string(size), separator="x")
        for size in (sizes[0], other)
    ]
    return tf.strings.join(["has frames of different sizes, ", names[0], " and ", names[1]])
