# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Boxes that follow what is done to their frames.

All are float32 [num_boxes, 4], (ymin, xmin, ymax, xmax), in [0, 1] of the frame's height and width.
"""

import tensorflow as tf

from official_cvrl.data import seeds, spatial


def cropped(boxes: tf.Tensor, draws: spatial.Draws, *, size: tf.Tensor) -> tf.Tensor:
    """Returns the boxes in the crop that `spatial.apply` makes; they may reach outside of it.

    Args:
        boxes: in the whole frame.
        draws: what was done to the frame.
        size: int32 [2], height and width of the frame.
    """
    window, size = tf.cast(draws.window, tf.float32), tf.cast(size, tf.float32)
    corners = (boxes * tf.tile(size, [2]) - tf.tile(window[:2], [2])) / tf.tile(window[2:], [2])
    ymin, xmin, ymax, xmax = tf.unstack(corners, axis=1)
    mirrored = tf.stack([ymin, 1.0 - xmax, ymax, 1.0 - xmin], axis=1)
    return tf.where(draws.flip, mirrored, corners)


def jittered(boxes: tf.Tensor, *, amount: float, seed: tf.Tensor) -> tf.Tensor:
    """Moves each edge by up to a share of the box's own height or width, either way.

    Args:
        boxes: any, static shape.
        amount: the share, below 0.5.
        seed: int32 [2].
    """
    moved = seeds.uniform(seed, boxes.shape, -amount, amount)
    return boxes + moved * tf.tile(boxes[:, 2:] - boxes[:, :2], [1, 2])


def clipped(boxes: tf.Tensor) -> tf.Tensor:
    """Returns the parts within the frame; of a box outside, an edge or a corner without area."""
    return tf.clip_by_value(boxes, 0.0, 1.0)


def area(boxes: tf.Tensor) -> tf.Tensor:
    """Returns heights times widths, float32 [num_boxes]."""
    return tf.reduce_prod(boxes[..., 2:] - boxes[..., :2], axis=-1)


def overlaps(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Returns intersections over unions, float32 [num_first, num_second]; 0 without area."""
    pairs = first[:, tf.newaxis], second[tf.newaxis]
    starts = tf.maximum(pairs[0][..., :2], pairs[1][..., :2])
    ends = tf.minimum(pairs[0][..., 2:], pairs[1][..., 2:])
    shared = tf.reduce_prod(tf.maximum(ends - starts, 0.0), axis=-1)
    return tf.math.divide_no_nan(shared, area(pairs[0]) + area(pairs[1]) - shared)
