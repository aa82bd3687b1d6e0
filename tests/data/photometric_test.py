# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What is drawn, and what is done with it: against the published code, and as properties."""

import functools

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from official.projects.video_ssl.ops import video_ssl_preprocess_ops as ops

from official_cvrl.data import augment, blur, photometric
from tests.data import distributions, published

_AUGMENTATION = augment.published()
_NUM_DRAWS = 6000


def _seeds(count):
    return tf.stack([tf.range(count), tf.fill([count], 7)], axis=1)


def _clips(count, num_frames=3, size=32):
    generator = np.random.default_rng(0)
    return tf.constant(generator.integers(0, 256, [count, num_frames, size, size, 3]), tf.uint8)


def _still_clips(count):
    return tf.repeat(_clips(count, num_frames=1), 3, axis=1)


def _published(clip, draws):
    """The published operations, in the published order, with our draws."""
    clip = published.jitter(clip, draws)
    if draws.blur:
        clip = ops.gaussian_blur(clip, clip.shape[1] // 10, draws.sigma)
    if draws.solarize:
        clip = ops.random_solarization(clip, p=1.0)
    return tf.clip_by_value(clip, 0.0, 1.0)


@functools.cache
def _draw_all(view, augmentation, jit_compile=False):
    """What is drawn for many seeds, as arrays."""
    draw = functools.partial(photometric.draw, view=view, augmentation=augmentation)
    types = tf.nest.map_structure(lambda part: part.dtype, draw(_seeds(1)[0]))

    @tf.function(jit_compile=jit_compile)
    def run():
        return tf.map_fn(draw, _seeds(_NUM_DRAWS), fn_output_signature=types)

    return photometric.Draws(*(part.numpy() for part in run()))


class PhotometricTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(0, 1)
    def test_equals_the_published_given_the_same_draws(self, view):
        clips, seeds = _clips(24), _seeds(24)
        ours = photometric.photometric(clips, seeds, view=view, augmentation=_AUGMENTATION)
        for clip, seed, out in zip(clips, seeds, ours, strict=True):
            draws = photometric.draw(seed, view=view, augmentation=_AUGMENTATION)
            expected = _published(tf.cast(clip, tf.float32) / 255.0, draws)
            self.assertAllClose(out, expected, rtol=0, atol=1e-3 + 1 / 255)

    @parameterized.parameters(
        (augment.published(), (1.0, 0.1), (0.0, 0.2)),
        (augment.paper(), (1.0, 1.0), (0.0, 0.0)),
    )
    def test_draws_follow_the_distributions(self, augmentation, blur_shares, solarize_shares):
        for view in (0, 1):
            draws = _draw_all(view, augmentation)
            distributions.assert_share(draws.jitter, 0.8)
            distributions.assert_share(draws.greyscale, 0.2)
            distributions.assert_share(draws.blur, blur_shares[view])
            distributions.assert_share(draws.solarize, solarize_shares[view])
            distributions.assert_uniform(draws.sigma, 0.1, 2.0)
            for factors in draws.amounts.T[:3]:
                distributions.assert_uniform(factors, 0.2, 1.8)
            distributions.assert_uniform(draws.amounts[:, 3], -0.2, 0.2)
            orders, counts = np.unique(draws.order, axis=0, return_counts=True)
            self.assertAllEqual(np.sort(orders, axis=1), [[0, 1, 2, 3]] * 24)
            distributions.assert_counts(counts, np.full(24, _NUM_DRAWS / 24))

    def test_draws_are_independent_of_each_other(self):
        draws = _draw_all(1, _AUGMENTATION)
        flags = (draws.jitter, draws.greyscale, draws.blur, draws.solarize)
        place_of_brightness = np.argmin(draws.order, axis=1)
        distributions.assert_uncorrelated(
            *draws.amounts.T, draws.sigma, place_of_brightness, *flags
        )

    @parameterized.parameters(0, 1)
    def test_draws_are_the_same_to_the_last_bit_under_xla(self, view):
        plain = _draw_all(view, _AUGMENTATION)
        compiled = _draw_all(view, _AUGMENTATION, jit_compile=True)
        alone = [photometric.draw(s, view=view, augmentation=_AUGMENTATION) for s in _seeds(5)]
        for name, one, other in zip(plain._fields, plain, compiled, strict=True):
            self.assertAllEqual(one, other, name)
            self.assertAllEqual(one[:5], [getattr(draws, name) for draws in alone], name)

    def test_a_clip_looks_the_same_in_any_batch(self):
        clips, seeds = _clips(6), _seeds(6)
        whole = photometric.photometric(clips, seeds, view=1, augmentation=_AUGMENTATION)
        order = [4, 1, 5]
        some = photometric.photometric(
            tf.gather(clips, order), tf.gather(seeds, order), view=1, augmentation=_AUGMENTATION
        )
        self.assertAllEqual(some, tf.gather(whole, order))

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
            # The mean of contrast and the quotients of hue are float32: 1.5e-5 at 112².
            self.assertAllClose(out, plain, rtol=0, atol=5e-5)

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


if __name__ == "__main__":
    tf.test.main()
