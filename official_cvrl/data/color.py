# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Colour operations of Algorithm 1 on one clip: plain arithmetic, so that XLA fuses each to a loop.

Every function takes and returns float32 [num_frames, height, width, 3] in [0, 1], RGB. What they
compute is what `tf.image` computes frame by frame, with contrast's mean taken over the whole clip.
"""

import tensorflow as tf

_LUMA = (0.2989, 0.5870, 0.1140)  # As tf.image.rgb_to_grayscale weighs them.


def brightness(clip: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Multiplies by a factor, float32 []."""
    return _clip(clip * factor)


def contrast(clip: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Scales the distance from each channel's mean over the clip by a factor, float32 []."""
    # Over rows of pixels and channels: XLA does not vectorise a sum that leaves an axis of three.
    width, channels = clip.shape[2:]
    rows = tf.reshape(clip, [-1, width * channels])
    by_column = tf.reshape(tf.reduce_mean(rows, axis=0), [width, channels])
    mean = tf.tile(tf.reduce_mean(by_column, axis=0), [width])
    return tf.reshape(_clip((rows - mean) * factor + mean), clip.shape)


def saturation(clip: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Scales HSV saturation by a factor, float32 [], not negative."""
    channels, value, chroma = _hexcone(clip)
    # Saturation, chroma / value, ends at 1.
    limit = tf.math.divide_no_nan(value, chroma)
    gain = tf.where(chroma > 0, tf.minimum(factor, limit), 0.0)
    return _clip(tf.stack([value - (value - part) * gain for part in channels], axis=-1))


def hue(clip: tf.Tensor, turns: tf.Tensor) -> tf.Tensor:
    """Shifts HSV hue by a part of a full turn, float32 [] in [-1, 1]."""
    channels, value, chroma = _hexcone(clip)
    angle = _hue_of(channels, value, chroma) + 6.0 * turns
    turned = []
    for offset in (5.0, 3.0, 1.0):
        # A channel falls from `value` by `chroma` and comes back once in six sixths of a turn.
        sixths = angle + offset
        # `floormod` would call a function for every number.
        sixths -= 6.0 * tf.floor(sixths / 6.0)
        turned.append(value - chroma * tf.clip_by_value(tf.minimum(sixths, 4 - sixths), 0, 1))
    return _clip(tf.stack(turned, axis=-1))


def greyscale(clip: tf.Tensor) -> tf.Tensor:
    """Gives all channels the luma."""
    luma = sum(weight * part for weight, part in zip(_LUMA, tf.unstack(clip, axis=-1), strict=True))
    return tf.stack([luma] * 3, axis=-1)


def solarize(clip: tf.Tensor) -> tf.Tensor:
    """Inverts what is 0.5 or more."""
    return tf.where(clip < 0.5, clip, 1.0 - clip)


def _hexcone(clip):
    """Channels, HSV value and chroma, each [num_frames, height, width].

    By channel, because reductions over an axis of three keep XLA from vectorising.
    """
    red, green, blue = channels = tf.unstack(clip, axis=-1)
    value = tf.maximum(tf.maximum(red, green), blue)
    return channels, value, value - tf.minimum(tf.minimum(red, green), blue)


def _hue_of(channels, value, chroma):
    """Hue in sixths of a turn, [num_frames, height, width]; 0 for greys."""
    red, green, blue = channels
    is_red, is_green = value == red, value == green
    difference = tf.where(is_red, green - blue, tf.where(is_green, blue - red, red - green))
    first = tf.where(is_red, 0.0, tf.where(is_green, 2.0, 4.0))
    return tf.math.divide_no_nan(difference, chroma) + first


def _clip(clip):
    return tf.clip_by_value(clip, 0.0, 1.0)
