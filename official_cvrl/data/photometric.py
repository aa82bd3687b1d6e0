# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Colour jitter, greyscale, blur and solarisation of clips, on the device."""

import math

import tensorflow as tf

from official_cvrl.data import augment


def photometric(
    clips: tf.Tensor, seeds: tf.Tensor, *, view: int, augmentation: augment.Augmentation
) -> tf.Tensor:
    """Augments the colours of clips, one draw per clip.

    Args:
        clips: uint8 [batch, num_frames, height, width, 3].
        seeds: int32 [batch, 2].
        view: 0 or 1: the two views differ in blur and solarisation.
        augmentation: the distributions.

    Returns:
        float32 [batch, num_frames, height, width, 3] in [0, 1].
    """
    floats = tf.cast(clips, tf.float32) / 255.0
    if not augmentation.temporally_consistent:
        batch, num_frames = clips.shape[0] or tf.shape(clips)[0], clips.shape[1]
        frames = tf.reshape(floats, [-1, 1, *clips.shape[2:]])
        per_frame = tf.vectorized_map(lambda s: tf.random.split(s, num_frames), seeds)
        out = _augment(frames, tf.reshape(per_frame, [-1, 2]), view, augmentation)
        return tf.reshape(out, [batch, num_frames, *clips.shape[2:]])
    return _augment(floats, seeds, view, augmentation)


def _augment(clips, seeds, view, augmentation):
    draws = tf.map_fn(
        lambda s: tf.random.stateless_uniform([16], s), seeds, fn_output_signature=tf.float32
    )
    d = [draws[:, i][:, None, None, None, None] for i in range(16)]
    a = augmentation
    jittered = _jitter(clips, draws, d, a)
    clips = tf.where(d[0] < a.jitter_probability, jittered, clips)
    clips = tf.where(d[1] < a.grey_probability, tf.image.rgb_to_grayscale(clips), clips)
    if a.blur_probabilities[view]:
        low, high = a.blur_sigma_range
        sigma = low + (high - low) * draws[:, 3]
        clips = tf.where(d[2] < a.blur_probabilities[view], _blur(clips, sigma, high), clips)
    if a.solarize_probabilities[view]:
        solar = tf.where(clips < 0.5, clips, 1.0 - clips)
        clips = tf.where(d[4] < a.solarize_probabilities[view], solar, clips)
    return tf.clip_by_value(clips, 0.0, 1.0)


def _jitter(clips, draws, d, a):
    def factor(u, strength):
        low = max(0.0, 1.0 - strength)
        return low + (1.0 + strength - low) * u

    order = tf.argsort(draws[:, 9:13], axis=1)
    for slot in range(4):
        which = order[:, slot][:, None, None, None, None]
        bright = clips * factor(d[5], a.brightness)
        mean = tf.reduce_mean(clips, axis=[1, 2, 3], keepdims=True)
        contrast = (clips - mean) * factor(d[6], a.contrast) + mean
        grey = tf.image.rgb_to_grayscale(clips)
        saturated = grey + (clips - grey) * factor(d[7], a.saturation)
        hue = _hue(clips, (2 * draws[:, 8] - 1) * a.hue)
        clips = tf.where(
            which == 0, bright, tf.where(which == 1, contrast, tf.where(which == 2, saturated, hue))
        )
        clips = tf.clip_by_value(clips, 0.0, 1.0)
    return clips


def _hue(clips, turns):
    # Rotation in YIQ.
    angle = turns * 2 * math.pi
    to = tf.constant([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
    back = tf.linalg.inv(to)
    c, s, o, z = tf.cos(angle), tf.sin(angle), tf.ones_like(angle), tf.zeros_like(angle)
    rotation = tf.reshape(tf.stack([o, z, z, z, c, -s, z, s, c], axis=-1), [-1, 3, 3])
    matrix = tf.einsum("ij,bjk,kl->bil", back, rotation, to)
    return tf.einsum("bthwc,bdc->bthwd", clips, matrix)


def _blur(clips, sigma, largest):
    height = clips.shape[2]
    radius = max(1, min(math.ceil(4 * largest), height // 10 // 2))
    x = tf.range(-radius, radius + 1, dtype=tf.float32)
    kernel = tf.exp(-tf.square(x) / (2 * tf.square(sigma[:, None])))
    kernel /= tf.reduce_sum(kernel, axis=1, keepdims=True)
    for axis in (2, 3):
        padding = [[0, 0]] * 5
        padding[axis] = [radius, radius]
        padded = tf.pad(clips, padding)
        length = clips.shape[axis]
        clips = tf.add_n(
            [
                tf.gather(padded, tf.range(i, i + length), axis=axis)
                * kernel[:, i, None, None, None, None]
                for i in range(2 * radius + 1)
            ]
        )
    return clips
