# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What is drawn, and what is done with it: against the published code, and as properties."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from official.projects.video_ssl.ops import video_ssl_preprocess_ops as published

from official_cvrl.data import augment, blur, photometric

_AUGMENTATION = augment.published()


def _seeds(count):
    return tf.stack([tf.range(count), tf.fill([count], 7)], axis=1)


def _clips(count, num_frames=3, size=32):
    generator = np.random.default_rng(0)
    return tf.constant(generator.integers(0, 256, [count, num_frames, size, size, 3]), tf.uint8)


def _still_clips(count):
    return tf.repeat(_clips(count, num_frames=1), 3, axis=1)


def _published(clip, draws):
    """The published operations, in the published order, with our draws."""
    steps = (
        lambda image, factor: image * factor,
        tf.image.adjust_contrast,
        tf.image.adjust_saturation,
        tf.image.adjust_hue,
    )
    image = tf.reshape(clip, [-1, clip.shape[2], 3])
    if draws.jitter:
        for which in draws.order.numpy():
            image = tf.clip_by_value(steps[which](image, draws.amounts[which]), 0.0, 1.0)
    if draws.greyscale:
        image = published.to_grayscale(image)
    clip = tf.reshape(image, clip.shape)
    if draws.blur:
        clip = published.gaussian_blur(clip, clip.shape[1] // 10, draws.sigma)
    if draws.solarize:
        clip = published.random_solarization(clip, p=1.0)
    return tf.clip_by_value(clip, 0.0, 1.0)


class PhotometricTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(0, 1)
    def test_equals_the_published_given_the_same_draws(self, view):
        clips, seeds = _clips(24), _seeds(24)
        ours = photometric.photometric(clips, seeds, view=view, augmentation=_AUGMENTATION)
        for clip, seed, out in zip(clips, seeds, ours, strict=True):
            draws = photometric.draw(seed, view=view, augmentation=_AUGMENTATION)
            expected = _published(tf.cast(clip, tf.float32) / 255.0, draws)
            self.assertAllClose(out, expected, rtol=0, atol=1e-3 + 1 / 255)

    @parameterized.parameters(0, 1)
    def test_draws_follow_the_distributions(self, view):
        count = 4000
        draw = tf.function(
            lambda: tf.vectorized_map(
                lambda seed: photometric.draw(seed, view=view, augmentation=_AUGMENTATION),
                _seeds(count),
            )
        )
        draws = photometric.Draws(*(part.numpy() for part in draw()))
        for observed, expected in (
            (draws.jitter, 0.8),
            (draws.greyscale, 0.2),
            (draws.blur, (1.0, 0.1)[view]),
            (draws.solarize, (0.0, 0.2)[view]),
        ):
            # Four standard deviations of a binomial.
            margin = 4 * np.sqrt(expected * (1 - expected) / count)
            self.assertBetween(np.mean(observed), expected - margin, expected + margin)
        self._assert_uniform(draws.sigma, 0.1, 2.0)
        for amounts, low, high in zip(
            draws.amounts.T, (0.2, 0.2, 0.2, -0.2), (1.8, 1.8, 1.8, 0.2), strict=True
        ):
            self._assert_uniform(amounts, low, high)
        _, orders = np.unique(draws.order, axis=0, return_counts=True)
        self.assertLen(orders, 24)
        chi2 = np.sum((orders - count / 24) ** 2 / (count / 24))
        self.assertLess(chi2, 49.7)  # 23 degrees of freedom, p = 0.001

    def test_draws_are_independent_of_each_other(self):
        draws = [photometric.draw(seed, view=1, augmentation=_AUGMENTATION) for seed in _seeds(400)]
        numbers = np.array([[*d.amounts, d.sigma, d.jitter, d.greyscale, d.blur] for d in draws])
        correlation = np.corrcoef(numbers.T) - np.eye(numbers.shape[1])
        self.assertLess(np.abs(correlation).max(), 0.2)  # Four standard deviations of 1/√400.

    def test_equal_frames_stay_equal_if_consistent_and_do_not_if_independent(self):
        clips, seeds = _still_clips(6), _seeds(6)
        independent = augment.Augmentation(temporally_consistent=False)
        for augmentation, same in ((_AUGMENTATION, True), (independent, False)):
            out = photometric.photometric(clips, seeds, view=0, augmentation=augmentation)
            self.assertEqual(np.allclose(out, out[:, :1], atol=1e-6), same)

    def test_compiled_is_what_plain_is(self):
        clips, seeds = _clips(4), _seeds(4)
        compiled = photometric.photometric(clips, seeds, view=1, augmentation=_AUGMENTATION)
        radius = blur.kernel_radius(32, largest_sigma=2.0)
        for clip, seed, out in zip(clips, seeds, compiled, strict=True):
            draws = photometric.draw(seed, view=1, augmentation=_AUGMENTATION)
            plain = photometric.apply(tf.cast(clip, tf.float32) / 255.0, draws, radius=radius)
            self.assertAllClose(out, plain, rtol=0, atol=1e-5)

    def test_inside_a_data_pipeline(self):
        clips, seeds = _clips(2), _seeds(2)
        eager = photometric.photometric(clips, seeds, view=0, augmentation=_AUGMENTATION)
        dataset = tf.data.Dataset.from_tensors((clips, seeds)).map(
            lambda c, s: photometric.photometric(c, s, view=0, augmentation=_AUGMENTATION)
        )
        self.assertAllClose(next(iter(dataset)), eager, rtol=0, atol=1e-5)

    def test_nothing_drawn_is_nothing_done(self):
        clips = _clips(2)
        out = photometric.photometric(
            clips, _seeds(2), view=0, augmentation=augment.crop_flip_only()
        )
        self.assertAllClose(out, tf.cast(clips, tf.float32) / 255.0, rtol=0, atol=1e-7)

    def _assert_uniform(self, values, low, high):
        """Kolmogorov-Smirnov against a uniform distribution, p = 0.001."""
        shares = np.sort((values - low) / (high - low))
        distance = np.abs(shares - (np.arange(len(shares)) + 0.5) / len(shares)).max()
        self.assertLess(distance, 1.95 / np.sqrt(len(shares)))
