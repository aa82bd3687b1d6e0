# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Gaussian blur of a clip as two sums of shifted copies, which XLA fuses into one loop each."""

import math

import tensorflow as tf


def gaussian_blur(clip: tf.Tensor, sigma: tf.Tensor, *, radius: int) -> tf.Tensor:
    """Blurs every frame alike; outside the frame is black.

    Args:
        clip: float32 [num_frames, height, width, 3], static shape.
        sigma: float32 [], standard deviation in pixels, positive.
        radius: the Gaussian is cut off beyond so many pixels, then normalised.

    Returns:
        float32 [num_frames, height, width, 3].
    """
    num_frames, height, width, channels = clip.shape
    weights = _gaussian(tf.range(-radius, radius + 1), sigma)
    weights = tf.unstack(weights / tf.reduce_sum(weights))
    # Rows of pixels and channels as one axis, along which the loops are vectorised.
    rows = tf.reshape(clip, [num_frames, height, width * channels])
    rows = _framed(_framed(rows, axis=1, margin=radius), axis=2, margin=radius * channels)
    rows = sum(weight * rows[:, i : i + height] for i, weight in enumerate(weights))
    starts = range(0, len(weights) * channels, channels)
    shifted = [rows[:, :, start : start + width * channels] for start in starts]
    rows = sum(weight * part for weight, part in zip(weights, shifted, strict=True))
    return tf.reshape(rows, clip.shape)


def kernel_radius(height: int, *, largest_sigma: float) -> int:
    """Returns where to cut the Gaussian: half of a tenth of the height (Algorithm 1), or sooner.

    Beyond four standard deviations the Gaussian adds less than 1e-4.
    """
    return min(height // 10 // 2, math.ceil(4 * largest_sigma))


def _framed(tensor, *, axis, margin):
    """Zeros on both ends of an axis."""
    shape = tensor.shape.as_list()
    shape[axis] = margin
    # Concatenated, not padded: XLA fuses a pad into the loops, where its condition slows each step.
    zeros = tf.zeros(shape, tensor.dtype)
    return tf.concat([zeros, tensor, zeros], axis)


def _gaussian(distance, sigma):
    return tf.exp(-tf.square(tf.cast(distance, tf.float32)) / (2.0 * tf.square(sigma)))
