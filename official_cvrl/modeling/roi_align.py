# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""RoIAlign (He et al., Mask R-CNN, 2017): what a feature map holds inside boxes, on a grid."""

import tensorflow as tf


def roi_align(
    features: tf.Tensor, boxes: tf.Tensor, *, output_size: int = 7, samples_per_bin: int = 2
) -> tf.Tensor:
    """Averages bilinear samples within each bin of a grid laid over each box.

    A pixel's value is at its centre, half a pixel from its edges; where a sample lies beyond the
    outermost centres it takes the outermost value. Bilinear sampling is a product of weights along
    height and along width, so the whole is two matrix products, of static shape and with gradients
    on every device. (tf-models-official's aligner takes one sample a bin at whole-pixel centres.)

    Args:
        features: [batch, height, width, channels], floating point.
        boxes: float32 [batch, num_boxes, 4], (ymin, xmin, ymax, xmax) in [0, 1] of the map's
            height and width; a box without area samples one place.
        output_size: rows and columns of the grid.
        samples_per_bin: along height and along width.

    Returns:
        [batch, num_boxes, output_size, output_size, channels], of the features' dtype.
    """
    height, width = features.shape[1:3]
    ymin, xmin, ymax, xmax = tf.unstack(boxes, axis=-1)
    grid = {"output_size": output_size, "samples_per_bin": samples_per_bin}
    over_rows = tf.cast(_weights(ymin, ymax, height, **grid), features.dtype)
    over_columns = tf.cast(_weights(xmin, xmax, width, **grid), features.dtype)
    rows = tf.einsum("bnyh,bhwc->bnywc", over_rows, features)
    return tf.einsum("bnxw,bnywc->bnyxc", over_columns, rows)


def _weights(start, end, length, *, output_size, samples_per_bin):
    """What each of `length` pixels counts in each bin: [batch, num_boxes, output_size, length]."""
    count = output_size * samples_per_bin
    shares = (tf.range(count, dtype=start.dtype) + 0.5) / count
    places = start[..., tf.newaxis] + (end - start)[..., tf.newaxis] * shares
    places = tf.clip_by_value(places * length - 0.5, 0.0, length - 1.0)
    distances = tf.abs(places[..., tf.newaxis] - tf.range(length, dtype=start.dtype))
    samples = tf.maximum(1.0 - distances, 0.0)
    bins = tf.reshape(samples, [*samples.shape[:-2], output_size, samples_per_bin, length])
    return tf.reduce_mean(bins, axis=-2)
