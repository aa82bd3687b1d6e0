# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Each colour operation against tf.image and against the published code."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from official.projects.video_ssl.ops import video_ssl_preprocess_ops as published

from official_cvrl.data import blur, color

_TOLERANCE = 1e-3 + 1 / 255


def _clip():
    """Random colours, and the ones that hue and saturation are easily wrong about."""
    generator = np.random.default_rng(0)
    clip = generator.uniform(size=[3, 24, 40, 3]).astype(np.float32)
    clip[:, 0], clip[:, 1], clip[:, 2] = 0.0, 1.0, 0.5
    clip[:, 3] = [1.0, 0.0, 0.0]
    clip[:, 4] = [0.0, 0.7, 0.7]
    return tf.constant(clip)


def _contrast_of_whole_clip(clip, factor):
    flat = tf.reshape(clip, [-1, clip.shape[2], 3])
    return tf.reshape(tf.image.adjust_contrast(flat, factor), clip.shape)


class ColorTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.product(
        operation=(
            (color.brightness, lambda clip, factor: clip * factor, (0.2, 1.0, 1.8)),
            (color.contrast, _contrast_of_whole_clip, (0.2, 1.0, 1.8)),
            (color.saturation, tf.image.adjust_saturation, (0.0, 0.2, 1.0, 1.8)),
            (color.hue, tf.image.adjust_hue, (-0.5, -0.2, 0.0, 0.07, 0.2)),
        ),
        compiled=(False, True),
    )
    def test_equals_tf_image(self, operation, compiled):
        ours, reference, amounts = operation
        run = tf.function(ours, jit_compile=compiled)
        for amount in amounts:
            expected = tf.clip_by_value(reference(_clip(), amount), 0.0, 1.0)
            self.assertAllClose(run(_clip(), tf.constant(amount)), expected, rtol=0, atol=1e-5)

    def test_greyscale_equals_tf_image(self):
        expected = tf.tile(tf.image.rgb_to_grayscale(_clip()), [1, 1, 1, 3])
        self.assertAllClose(color.greyscale(_clip()), expected, rtol=0, atol=1e-6)

    def test_solarization_equals_the_published(self):
        expected = published.random_solarization(_clip(), p=1.0)
        self.assertAllClose(color.solarize(_clip()), expected, rtol=0, atol=1e-6)

    @parameterized.parameters(0.1, 0.7, 2.0)
    def test_blur_equals_the_published(self, sigma):
        clip = tf.constant(np.random.default_rng(1).uniform(size=[2, 112, 112, 3]), tf.float32)
        radius = blur.kernel_radius(112, largest_sigma=2.0)
        ours = blur.gaussian_blur(clip, tf.constant(sigma), radius=radius)
        expected = published.gaussian_blur(clip, kernel_size=112 // 10, sigma=sigma)
        self.assertAllClose(ours, expected, rtol=0, atol=1e-5)

    def test_blur_cut_off_at_four_sigmas_is_the_published_at_full_size(self):
        clip = tf.constant(np.random.default_rng(1).uniform(size=[1, 224, 224, 3]), tf.float32)
        radius = blur.kernel_radius(224, largest_sigma=2.0)
        self.assertEqual(radius, 8)
        ours = blur.gaussian_blur(clip, tf.constant(2.0), radius=radius)
        expected = published.gaussian_blur(clip, kernel_size=224 // 10, sigma=2.0)
        self.assertAllClose(ours, expected, rtol=0, atol=_TOLERANCE)
