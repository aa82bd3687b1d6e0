# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The published code's data path, run as it stands, with our draws in place of its own.

Its random functions are replaced while it runs, eagerly, so that they are asked in order.
"""

import contextlib
import functools
from unittest import mock

import tensorflow as tf
from official.projects.video_ssl.dataloaders import video_ssl_input
from official.projects.video_ssl.ops import video_ssl_preprocess_ops as ops

from official_cvrl.data import photometric, seeds, spatial


def two_starts(num_video_frames, seed, *, num_frames, temporal_stride):
    """Returns the frames that the published code takes for two clips, int32 [2, num_frames]."""
    short = num_video_frames <= (num_frames - 1) * temporal_stride
    with _given(**_temporal_draws(seed, short=short)):
        frames = ops.sample_ssl_sequence(
            tf.range(num_video_frames), num_frames, random=True, stride=temporal_stride
        )
    return tf.reshape(frames, [2, num_frames])


def two_views(encoded, example_seeds, *, num_frames, temporal_stride, crop_size, augmentation):
    """Runs all of it: from the JPEGs of a video to the two views of the published pre-training.

    Args:
        encoded: string [num_video_frames].
        example_seeds: int32 [5, 2], as `two_view_batches` has them for its five draws.
        num_frames: frames of a clip.
        temporal_stride: video frames from one frame of a clip to the next.
        crop_size: height and width of a view.
        augmentation: what our draws are made with.

    Returns:
        float32 [2, num_frames, crop_size, crop_size, 3] in [0, 1].
    """
    size = tf.io.extract_jpeg_shape(encoded[0])[:2]
    places = [spatial.draw(size, seed=s, augmentation=augmentation) for s in example_seeds[1:3]]
    looks = [
        photometric.draw(seed, view=view, augmentation=augmentation)
        for view, seed in enumerate(example_seeds[3:])
    ]
    short = len(encoded) <= (num_frames - 1) * temporal_stride
    with _given(**_draws(_temporal_draws(example_seeds[0], short=short), places, looks)):
        frames = video_ssl_input._process_image(
            tf.constant(encoded),
            is_training=True,
            is_ssl=True,
            num_frames=num_frames,
            stride=temporal_stride,
            crop_size=crop_size,
        )
    return tf.reshape(frames, [2, num_frames, crop_size, crop_size, 3])


def jitter(frames, look):
    """Runs the published colour jitter and greyscale on one clip."""
    with _given(**_draws(_NOTHING, [], [look])):
        return ops.random_color_jitter_3d(frames)


_NOTHING = {"uniform": [], "shuffle": []}


def _temporal_draws(seed, *, short):
    """The interval, one start behind it (or two that do not depend on it), and the order."""
    own = tf.unstack(seeds.split(seed, 4))
    starts = [
        functools.partial(seeds.index_below, seed=one) for one in (own[:2] if short else own[1:2])
    ]
    swapped = seeds.uniform(own[2]) < 0.5
    return {
        "uniform": [seeds.uniform(own[0]), *starts],
        "shuffle": [lambda pair: pair[::-1] if swapped else pair],
    }


def _draws(temporal, places, looks):
    """What the published code will ask for, in its order, by the function that it asks."""
    jittered = [look for look in looks if look.jitter]
    draws = {
        "uniform": [
            *temporal["uniform"],
            *(int(place.flip) for place in places),
            *(number for look in looks for number in _color_numbers(look)),
        ],
        "shuffle": [*temporal["shuffle"], *((lambda _, o=look.order: o) for look in jittered)],
        "windows": [place.window for place in places],
    }
    if places:
        draws["uniform"] += [number for look in looks for number in _blur_numbers(look)]
        draws["uniform"].append(_below(looks[1].solarize))
    for index, name in enumerate(("contrast", "saturation", "hue"), start=1):
        draws[name] = [look.amounts[index] for look in jittered]
    return draws


def _color_numbers(look):
    # The published code first asks whether to touch colours at all, always yes.
    brightness = [look.amounts[0]] if look.jitter else []
    return [0.0, _below(look.jitter), *brightness, _below(look.greyscale)]


def _blur_numbers(look):
    return [_below(look.blur), *([look.sigma] if look.blur else [])]


def _below(flag):
    """A number that is below any probability, or below none."""
    return 0.0 if flag else 1.0


@contextlib.contextmanager
def _given(**draws):
    """Answers the published code's random functions, and checks that it asked for everything."""
    queues = {name: list(values) for name, values in draws.items()}

    def uniform(shape, minval=0, maxval=1, **unused_arguments):
        value = queues["uniform"].pop(0)
        return value(maxval) if callable(value) else _within(value, minval, maxval)

    def shuffle(values):
        return queues["shuffle"].pop(0)(values)

    def window(*unused_arguments, **unused):
        top, left, height, width = tf.unstack(queues["windows"].pop(0))
        return tf.stack([top, left, 0]), tf.stack([height, width, -1]), None

    def contrast(image, lower, upper):
        return tf.image.adjust_contrast(image, _within(queues["contrast"].pop(0), lower, upper))

    def saturation(image, lower, upper):
        amount = _within(queues["saturation"].pop(0), lower, upper)
        return tf.image.adjust_saturation(image, amount)

    def hue(image, max_delta):
        return tf.image.adjust_hue(image, _within(queues["hue"].pop(0), -max_delta, max_delta))

    with contextlib.ExitStack() as stack:
        for module, name, answer in (
            (tf.random, "uniform", uniform),
            (tf.random, "shuffle", shuffle),
            (tf.image, "sample_distorted_bounding_box", window),
            (tf.image, "random_contrast", contrast),
            (tf.image, "random_saturation", saturation),
            (tf.image, "random_hue", hue),
        ):
            stack.enter_context(mock.patch.object(module, name, answer))
        yield
    assert not any(queues.values()), queues


def _within(value, low, high):
    """Returns what we drew, if the published code could have drawn it."""
    assert low - 1e-6 <= value <= high + 1e-6, (value, low, high)
    return value
