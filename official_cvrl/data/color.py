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
    mean = tf.reduce_mean(clip, axis=[0, 1, 2], keepdims=True)
    return _clip((clip - mean) * factor + mean)


def saturation(clip: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Scales HSV saturation by a factor, float32 [], not negative."""
    value = tf.reduce_max(clip, axis=-1, keepdims=True)
    chroma = value - tf.reduce_min(clip, axis=-1, keepdims=True)
    # Saturation, chroma / value, ends at 1.
    limit = tf.math.divide_no_nan(value, chroma)
    gain = tf.where(chroma > 0, tf.minimum(factor, limit), 0.0)
    return _clip(value - (value - clip) * gain)


def hue(clip: tf.Tensor, turns: tf.Tensor) -> tf.Tensor:
    """Shifts HSV hue by a part of a full turn, float32 [] in [-1, 1]."""
    value = tf.reduce_max(clip, axis=-1)
    chroma = value - tf.reduce_min(clip, axis=-1)
    angle = _hue_of(clip, value, chroma) + 6.0 * turns
    channels = []
    for offset in (5.0, 3.0, 1.0):
        # A channel falls from `value` by `chroma` and comes back once in six sixths of a turn.
        sixths = tf.math.floormod(angle + offset, 6.0)
        channels.append(value - chroma * tf.clip_by_value(tf.minimum(sixths, 4 - sixths), 0, 1))
    return _clip(tf.stack(channels, axis=-1))


def greyscale(clip: tf.Tensor) -> tf.Tensor:
    """Gives all channels the luma."""
    luma = tf.reduce_sum(clip * tf.constant(_LUMA), axis=-1, keepdims=True)
    return tf.broadcast_to(luma, tf.shape(clip))


def solarize(clip: tf.Tensor) -> tf.Tensor:
    """Inverts what is 0.5 or more."""
    return tf.where(clip < 0.5, clip, 1.0 - clip)


def _hue_of(clip, value, chroma):
    """Hue in sixths of a turn, [num_frames, height, width]; 0 for greys."""
    red, green, blue = tf.unstack(clip, axis=-1)
    of_green = tf.math.divide_no_nan(blue - red, chroma) + 2.0
    of_blue = tf.math.divide_no_nan(red - green, chroma) + 4.0
    of_red = tf.math.divide_no_nan(green - blue, chroma)
    return tf.where(value == red, of_red, tf.where(value == green, of_green, of_blue))


def _clip(clip):
    return tf.clip_by_value(clip, 0.0, 1.0)
