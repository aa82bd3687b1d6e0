# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Gaussian blur of a clip as two products with banded matrices."""

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
    rows = _kernel_matrix(clip.shape[1], sigma, radius)
    columns = _kernel_matrix(clip.shape[2], sigma, radius)
    return tf.einsum("ih,thwc,jw->tijc", rows, clip, columns)


def kernel_radius(height: int, *, largest_sigma: float) -> int:
    """Returns where to cut the Gaussian: half of a tenth of the height (Algorithm 1), or sooner.

    Beyond four standard deviations the Gaussian adds less than 1e-4.
    """
    return min(height // 10 // 2, math.ceil(4 * largest_sigma))


def _kernel_matrix(length, sigma, radius):
    """[length, length]; row i weighs the pixels that blur into pixel i."""
    distance = tf.abs(tf.range(length)[:, None] - tf.range(length)[None, :])
    offsets = tf.range(-radius, radius + 1)
    total = tf.reduce_sum(_gaussian(offsets, sigma))
    return tf.where(distance <= radius, _gaussian(distance, sigma) / total, 0.0)


def _gaussian(distance, sigma):
    return tf.exp(-tf.square(tf.cast(distance, tf.float32)) / (2.0 * tf.square(sigma)))
