# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""RandAugment against tf-models-official's, and that all frames of a clip share one draw."""

from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from official.vision.ops import augment as official

from official_cvrl.data import augment, rand_augment, seeds, spatial
from tests.data import distributions, shards

_SIDE = 32
# In the library's order; what it draws beyond them is the identity.
_LIBRARYS = (
    *("auto_contrast", "equalize", "rotate", "posterize", "solarize", "color", "contrast"),
    *("brightness", "sharpness", "shear_x", "shear_y", "translate_x", "translate_y", "identity"),
)


def _clip(num_frames=3, seed=0):
    generator = np.random.default_rng(seed)
    return tf.constant(generator.integers(20, 250, [num_frames, _SIDE, _SIDE, 3]), tf.uint8)


def _draws(*names, sign=1.0):
    operations = [rand_augment.OPERATIONS.index(name) for name in names]
    return rand_augment.Draws(tf.constant(operations), tf.fill([len(names)], sign))


def _librarys(clip, draws, *, magnitude):
    """The library's RandAugment, with our draws in place of its own."""
    operations = [rand_augment.OPERATIONS[index] for index in draws.operations]
    chosen, signs = iter(operations), []

    def uniform(shape, minval=None, maxval=None, dtype=tf.float32):
        if dtype == tf.int32:
            assert maxval == len(rand_augment.OPERATIONS)
            signs.append(draws.signs[len(signs)])
            return tf.constant(_LIBRARYS.index(next(chosen)))
        return tf.constant(0.9 if signs[-1] > 0 else 0.1)

    librarys = official.RandAugment(
        num_layers=len(operations),
        magnitude=magnitude,
        translate_const=100 * _SIDE / 224,
        exclude_ops=["Invert", "Cutout", "SolarizeAdd"],
    )
    with mock.patch.object(tf.random, "uniform", uniform):
        return librarys.distort(clip)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("name", rand_augment.OPERATIONS)
def test_each_operation_is_the_librarys(name, sign):
    clip, draws = _clip(), _draws(name, sign=sign)
    ours = rand_augment.apply(clip, draws, magnitude=9.0)
    np.testing.assert_array_equal(ours, _librarys(clip, draws, magnitude=9.0))
    assert np.array_equal(ours, clip) == (name == "identity")


@pytest.mark.parametrize("names", [("rotate", "equalize"), ("translate_x", "sharpness")])
def test_two_follow_each_other_and_a_frame_alone_looks_as_the_librarys(names):
    frame, draws = _clip(num_frames=1), _draws(*names)
    ours = rand_augment.apply(frame, draws, magnitude=5.0)
    np.testing.assert_array_equal(ours[0], _librarys(frame[0], draws, magnitude=5.0))


def test_the_largest_magnitude_solarizes_nothing():
    clip = _clip()
    ours = rand_augment.apply(clip, _draws("solarize"), magnitude=10.0)
    np.testing.assert_array_equal(ours, clip)


def test_two_of_fourteen_are_drawn_uniformly_and_independently():
    all_seeds = tf.stack([tf.range(6000), tf.fill([6000], 7)], axis=1)

    @tf.function
    def draw_all():
        return tf.map_fn(
            lambda seed: tuple(rand_augment.draw(seed, num_operations=2)),
            all_seeds,
            fn_output_signature=(tf.int32, tf.float32),
        )

    operations, signs = (part.numpy() for part in draw_all())
    pairs = np.bincount(operations @ [14, 1], minlength=14**2)
    distributions.assert_counts(pairs, np.full(14**2, 6000 / 14**2))
    distributions.assert_share(signs > 0, 0.5)
    assert set(signs.ravel()) == {-1.0, 1.0}
    distributions.assert_uncorrelated(operations, signs)


@pytest.mark.parametrize("consistent", [True, False])
def test_the_frames_of_a_still_video_share_the_draw_if_consistent(consistent):
    """In tf.data; crop and flip are off, so what differs is RandAugment's."""
    encoded = tf.constant(shards.jpegs(1, seed=3) * 6)
    augmentation = augment.Augmentation(
        random_crop=False,
        flip_probability=0.0,
        temporally_consistent=consistent,
        rand_augment_operations=2,
    )

    def augmented(number):
        seed = seeds.split(tf.stack([tf.cast(number, tf.int32), 7]), 1)[0]
        return spatial.random_crop_resize_flip(
            encoded, crop_size=16, seed=seed, augmentation=augmentation
        )

    clips = np.stack(list(tf.data.Dataset.range(8).map(augmented)))
    assert len(np.unique(clips[:, 0].reshape([8, -1]), axis=0)) > 4
    moving = np.ptp(clips.astype(int), axis=1).max(axis=(1, 2, 3)) > 0
    assert not moving.any() if consistent else moving.all()


def test_window_and_flip_stay_what_they_are_without_it():
    encoded = tf.constant(shards.jpegs(2, seed=3))
    seed = tf.constant([3, 4])
    plain, changed = (
        spatial.random_crop_resize_flip(encoded, crop_size=16, seed=seed, augmentation=augmentation)
        for augmentation in (
            augment.crop_flip_only(),
            augment.rand_augment(),
        )
    )
    draws = rand_augment.draw(seeds.split(seed, 3)[2], num_operations=2)
    np.testing.assert_array_equal(changed, rand_augment.apply(plain, draws, magnitude=9.0))
