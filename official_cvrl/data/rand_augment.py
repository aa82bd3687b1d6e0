# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""RandAugment with one draw per clip (Table 12): a few operations of 14, one after the other.

The operations are tf-models-official's, of a whole clip at once as in its video input:
auto-contrast and equalisation take their statistics over all frames, so that a clip does not
flicker. They run on the host, since some of them have no XLA kernels.
"""

import functools
from typing import NamedTuple

import tensorflow as tf

from official_cvrl.data import augment, seeds

# RandAugment's own pool; the library adds inversion, cut-out and additive solarisation.
OPERATIONS = (
    "identity",
    "auto_contrast",
    "equalize",
    "rotate",
    "posterize",
    "solarize",
    "color",
    "contrast",
    "brightness",
    "sharpness",
    "shear_x",
    "shear_y",
    "translate_x",
    "translate_y",
)
_LARGEST_MAGNITUDE = 10.0
_GREY = 128  # Fills what a moved picture leaves empty.
# The library's 100 pixels, of a frame of 224.
_LARGEST_TRANSLATION = 100 / 224


class Draws(NamedTuple):
    """What was drawn for one clip.

    Attributes:
        operations: int32 [num_operations], places in `OPERATIONS`.
        signs: float32 [num_operations], 1.0 or -1.0: which way to turn, shear or move.
    """

    operations: tf.Tensor
    signs: tf.Tensor


def draw(seed: tf.Tensor, *, num_operations: int) -> Draws:
    """Draws what happens to one clip, each operation uniformly; seed is int32 [2]."""
    operations_seed, signs_seed = tf.unstack(seeds.split(seed, 2))
    own = tf.unstack(seeds.split(operations_seed, num_operations))
    return Draws(
        operations=tf.stack([seeds.index_below(len(OPERATIONS), one) for one in own]),
        signs=tf.where(seeds.uniform(signs_seed, [num_operations]) < 0.5, -1.0, 1.0),
    )


@tf.autograph.experimental.do_not_convert  # Rewriting the library took as long as all the rest.
def apply(clip: tf.Tensor, draws: Draws, *, magnitude: float) -> tf.Tensor:
    """Does to one clip what was drawn for it.

    Args:
        clip: uint8 [num_frames, height, width, 3], static shape.
        draws: what to do.
        magnitude: how strongly, in [0, 10]; see `augment.Augmentation`.

    Returns:
        uint8 [num_frames, height, width, 3].
    """
    shape = clip.shape

    def one_more(place, clip):
        branches = _branches(clip, draws.signs[place], magnitude)
        done = tf.switch_case(draws.operations[place], [branches[name] for name in OPERATIONS])
        return place + 1, tf.ensure_shape(done, shape)

    # A loop, so that the operations are in the graph once.
    count = tf.size(draws.operations)
    return tf.while_loop(lambda place, _: place < count, one_more, [0, clip])[1]


def rand_augment(
    clip: tf.Tensor, *, seed: tf.Tensor, augmentation: augment.Augmentation
) -> tf.Tensor:
    """Draws and does; clip as of `apply`, seed int32 [2]."""
    draws = draw(seed, num_operations=augmentation.rand_augment_operations)
    return apply(clip, draws, magnitude=augmentation.rand_augment_magnitude)


def _branches(clip, sign, magnitude):
    """The operations by name, ready to be called."""
    from official.vision.ops import augment as ops  # Takes a second, which others need not spend.

    share = magnitude / _LARGEST_MAGNITUDE
    factor = 0.1 + 1.8 * share
    pixels = sign * share * _LARGEST_TRANSLATION * clip.shape[2]
    fill = [_GREY] * 3
    return {
        "identity": lambda: clip,
        "auto_contrast": lambda: ops.autocontrast(clip),
        "equalize": lambda: ops.equalize(clip),
        "rotate": lambda: ops.wrapped_rotate(clip, sign * 30.0 * share, fill),
        "posterize": lambda: ops.posterize(clip, int(4 * share)),
        "solarize": functools.partial(_solarize, ops, clip, int(256 * share)),
        "color": lambda: ops.color(clip, factor),
        "contrast": lambda: ops.contrast(clip, factor),
        "brightness": lambda: ops.brightness(clip, factor),
        "sharpness": lambda: ops.sharpness(clip, factor),
        "shear_x": lambda: ops.shear_x(clip, sign * 0.3 * share, fill),
        "shear_y": lambda: ops.shear_y(clip, sign * 0.3 * share, fill),
        "translate_x": lambda: ops.translate_x(clip, pixels, fill),
        "translate_y": lambda: ops.translate_y(clip, pixels, fill),
    }


def _solarize(ops, clip, threshold):
    # The largest threshold, 256, is no uint8.
    return tf.cast(ops.solarize(tf.cast(clip, tf.int32), threshold), tf.uint8)
