# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Colour jitter, greyscale, blur and solarisation of clips, one compiled function on the device."""

import functools
from typing import NamedTuple

import tensorflow as tf

from official_cvrl.data import augment, blur, color
from official_cvrl.data import seeds as seeds_lib

_JITTERS = (color.brightness, color.contrast, color.saturation, color.hue)


class Draws(NamedTuple):
    """What was drawn for one clip.

    Attributes:
        jitter: bool [], whether its colours are jittered.
        order: int32 [4], a permutation: which of brightness, contrast, saturation and hue comes
            first, second, third, fourth.
        amounts: float32 [4], their three factors, and the hue's shift in turns.
        greyscale: bool [].
        blur: bool [].
        sigma: float32 [], of the blur, in pixels.
        solarize: bool [].
    """

    jitter: tf.Tensor
    order: tf.Tensor
    amounts: tf.Tensor
    greyscale: tf.Tensor
    blur: tf.Tensor
    sigma: tf.Tensor
    solarize: tf.Tensor


_SPECIFICATION = Draws(
    jitter=tf.TensorSpec([], tf.bool),
    order=tf.TensorSpec([4], tf.int32),
    amounts=tf.TensorSpec([4], tf.float32),
    greyscale=tf.TensorSpec([], tf.bool),
    blur=tf.TensorSpec([], tf.bool),
    sigma=tf.TensorSpec([], tf.float32),
    solarize=tf.TensorSpec([], tf.bool),
)


def photometric(
    clips: tf.Tensor, seeds: tf.Tensor, *, view: int, augmentation: augment.Augmentation
) -> tf.Tensor:
    """Augments the colours of clips (Algorithm 1, from colour jitter on).

    Args:
        clips: uint8 [batch, num_frames, height, width, 3], static shape.
        seeds: int32 [batch, 2]; the same seed gives the same draws.
        view: 0 or 1: the two views differ in blur and solarisation.
        augmentation: the distributions, and whether all frames of a clip share one draw.

    Returns:
        float32 [batch, num_frames, height, width, 3] in [0, 1].
    """
    parts = clips
    if not augmentation.temporally_consistent:
        parts = tf.reshape(clips, [-1, 1, *clips.shape[2:]])
        seeds = tf.map_fn(lambda seed: seeds_lib.split(seed, clips.shape[1]), seeds)
        seeds = tf.reshape(seeds, [-1, 2])
    draws = tf.map_fn(
        functools.partial(draw, view=view, augmentation=augmentation),
        seeds,
        fn_output_signature=_SPECIFICATION,
    )
    radius = blur.kernel_radius(clips.shape[2], largest_sigma=augmentation.blur_sigma_range[1])
    return tf.reshape(_apply_all(parts, draws, radius), clips.shape)


def draw(seed: tf.Tensor, *, view: int, augmentation: augment.Augmentation) -> Draws:
    """Draws what happens to one clip's colours; seed is int32 [2]."""
    seeds = iter(tf.unstack(seeds_lib.split(seed, 7)))

    def uniform(shape, low=0.0, high=1.0):
        return seeds_lib.uniform(next(seeds), shape, low, high)

    low, high = augmentation.jitter_bounds()
    return Draws(
        jitter=uniform([]) < augmentation.jitter_probability,
        order=tf.argsort(uniform([4])),
        amounts=uniform([4], tf.constant(low), tf.constant(high)),
        greyscale=uniform([]) < augmentation.grey_probability,
        blur=uniform([]) < augmentation.blur_probabilities[view],
        sigma=uniform([], *augmentation.blur_sigma_range),
        solarize=uniform([]) < augmentation.solarize_probabilities[view],
    )


def apply(clip: tf.Tensor, draws: Draws, *, radius: int) -> tf.Tensor:
    """Does to one clip what was drawn for it.

    Args:
        clip: float32 [num_frames, height, width, 3] in [0, 1].
        draws: what to do.
        radius: of the blur's kernel.

    Returns:
        float32 [num_frames, height, width, 3] in [0, 1].
    """
    clip = _jitter(clip, draws)
    clip = tf.where(draws.greyscale, color.greyscale(clip), clip)
    blurred = functools.partial(blur.gaussian_blur, clip, draws.sigma, radius=radius)
    clip = tf.cond(draws.blur, blurred, lambda: clip)
    return tf.where(draws.solarize, color.solarize(clip), clip)


@tf.function(jit_compile=True, autograph=False)
def _apply_all(clips, draws, radius):
    """Clip by clip, so that jitter and blur cost nothing where they were not drawn.

    Greyscale and solarisation are computed always, within loops over the clip that are there
    anyway; each branch would copy the clip once more.
    """
    return tf.map_fn(
        lambda pair: apply(tf.cast(pair[0], tf.float32) / 255.0, pair[1], radius=radius),
        (clips, draws),
        fn_output_signature=tf.float32,
    )


def _jitter(clip, draws):
    """A loop of four branches: unrolled to sixteen, XLA compiles for a quarter of a minute."""

    def adjust(step, clip):
        branches = [
            functools.partial(jitter, clip, amount)
            for jitter, amount in zip(_JITTERS, tf.unstack(draws.amounts), strict=True)
        ]
        return step + 1, tf.switch_case(draws.order[step], branches)

    count = tf.where(draws.jitter, len(_JITTERS), 0)
    return tf.while_loop(lambda step, _: step < count, adjust, [0, clip])[1]
