# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Frames by hand, against the published code, and against the formulas they are drawn from."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from official.vision.ops import preprocess_ops_3d as published_ops

from official_cvrl.data import sampling
from tests.data import distributions, published

_FIGURE_3 = (
    (0.5, "decreasing"),
    (1.0, "decreasing"),
    (2.0, "decreasing"),
    (1.0, "uniform"),
    (1.0, "increasing"),
    (2.0, "increasing"),
)
_CLIP = {"num_frames": 4, "temporal_stride": 3}  # Spans ten frames.


def _draw_all(draw, count, number=0):
    """What is drawn for `count` seeds; compiled, thousands of them take no time."""
    seeds = tf.stack([tf.range(count), tf.fill([count], number)], axis=1)
    structure = tf.nest.map_structure(lambda part: part.dtype, draw(seeds[0]))

    @tf.function(jit_compile=True, autograph=False)
    def run():
        return tf.map_fn(draw, seeds, fn_output_signature=structure)

    return tf.nest.map_structure(lambda part: part.numpy(), run())


def _interval_probabilities(num_positions, power, trend):
    """The integral of P(t) = a t^b + c from each whole number to the next, over that to T."""
    share = np.arange(num_positions + 1) / num_positions
    integral = {
        "uniform": share,
        "increasing": share ** (power + 1),
        "decreasing": share - share ** (power + 1) / (power + 1),
    }[trend]
    return np.diff(integral / integral[-1])


def _joint_probabilities(num_positions, power, trend):
    """Of both starts: the interval, the earlier start uniform, either one first."""
    intervals = _interval_probabilities(num_positions, power, trend)
    starts = np.arange(num_positions)
    apart = np.abs(starts[:, np.newaxis] - starts)
    return (intervals / (num_positions - starts) / np.where(starts > 0, 2, 1))[apart]


def _count(first, second, size):
    return np.bincount(first * size + second, minlength=size * size)


class SamplingTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(*_FIGURE_3)
    def test_intervals_follow_their_distribution(self, power, trend):
        count, positions = 20000, 20
        intervals = _draw_all(
            lambda seed: sampling.sample_interval(positions, seed=seed, power=power, trend=trend),
            count,
        )
        distributions.assert_counts(
            np.bincount(intervals, minlength=positions),
            count * _interval_probabilities(positions, power, trend),
        )

    @parameterized.parameters(*_FIGURE_3)
    def test_both_starts_follow_their_joint_distribution(self, power, trend):
        """Interval, the start before it, the last one possible included, and the order."""
        count, positions = 10000, 15
        first, second = _draw_all(
            lambda seed: sampling.two_view_frames(
                positions + 9, seed=seed, power=power, trend=trend, **_CLIP
            ),
            count,
        )
        distributions.assert_counts(
            _count(first[:, 0], second[:, 0], positions),
            count * _joint_probabilities(positions, power, trend),
        )
        self.assertAllEqual(np.diff(first), np.full([count, 3], 3))
        self.assertAllEqual(np.diff(second), np.full([count, 3], 3))

    def test_linear_decreasing_is_the_default(self):
        for seed in range(20):
            seed = tf.constant([seed, 3])
            self.assertAllEqual(
                sampling.two_view_frames(50, seed=seed, **_CLIP),
                sampling.two_view_frames(50, seed=seed, power=1.0, trend="decreasing", **_CLIP),
            )

    @parameterized.parameters(5, 9, 10, 11, 29, 250)
    def test_equals_the_published_given_the_same_draws(self, num_video_frames):
        """Shorter than a clip, as long as what lies before its last frame, one clip, longer."""
        for number in range(25):
            seed = tf.constant([number, num_video_frames])
            ours = sampling.two_view_frames(num_video_frames, seed=seed, **_CLIP)
            theirs = published.two_starts(num_video_frames, seed, **_CLIP)
            self.assertAllEqual(tf.stack(ours), theirs)

    @parameterized.parameters(5, 9)
    def test_a_short_video_wraps_round_and_its_clips_start_independently(self, num_video_frames):
        count = 4000
        first, second = _draw_all(
            lambda seed: sampling.two_view_frames(num_video_frames, seed=seed, **_CLIP), count
        )
        cells = num_video_frames**2
        distributions.assert_counts(
            _count(first[:, 0], second[:, 0], num_video_frames), np.full(cells, count / cells)
        )
        steps = 3 * np.arange(4)
        self.assertAllEqual(first, (first[:, :1] + steps) % num_video_frames)
        self.assertAllEqual(second, (second[:, :1] + steps) % num_video_frames)

    @parameterized.parameters((5, 5), (9, 9), (10, 1), (11, 2), (30, 21))
    def test_a_random_clip_starts_anywhere_it_fits(self, num_video_frames, num_starts):
        """Also where the last start is; anywhere in a video shorter than a clip."""
        count = 4000
        clips = _draw_all(
            lambda seed: sampling.random_clip_frames(num_video_frames, seed=seed, **_CLIP), count
        )
        distributions.assert_counts(
            np.bincount(clips[:, 0], minlength=num_starts),
            np.full(num_starts, count / num_starts),
        )
        self.assertAllEqual(clips, (clips[:, :1] + 3 * np.arange(4)) % num_video_frames)

    @parameterized.parameters((7, 7), (30, 21))
    def test_without_temporal_augmentation_both_clips_start_at_one_place(self, frames, num_starts):
        count = 4000
        first, second = _draw_all(
            lambda seed: sampling.two_view_frames(
                frames, seed=seed, temporal_augmentation=False, **_CLIP
            ),
            count,
        )
        self.assertAllEqual(first, second)
        distributions.assert_counts(
            np.bincount(first[:, 0], minlength=num_starts), np.full(num_starts, count / num_starts)
        )

    def test_dense_and_middle_clips(self):
        arguments = {"num_frames": 3, "temporal_stride": 2}
        dense = sampling.dense_clip_frames(11, num_test_clips=4, **arguments)
        self.assertAllEqual(dense, [[0, 2, 4], [2, 4, 6], [4, 6, 8], [6, 8, 10]])
        middle = sampling.dense_clip_frames(11, num_test_clips=1, **arguments)
        self.assertAllEqual(middle, [[3, 5, 7]])

    @parameterized.product(temporal_stride=(1, 2, 3), num_video_frames=(13, 40, 301))
    def test_dense_and_middle_clips_are_the_published_but_for_the_end(
        self, temporal_stride, num_video_frames
    ):
        """The published clips end `temporal_stride` - 1 frames before the video does."""
        clip = {"num_frames": 4, "temporal_stride": temporal_stride}
        longer = tf.range(num_video_frames + temporal_stride - 1)
        dense = sampling.dense_clip_frames(num_video_frames, num_test_clips=10, **clip)
        theirs = published_ops.sample_linspace_sequence(longer, 10, 4, temporal_stride)
        self.assertAllEqual(dense, tf.reshape(theirs, [10, 4]))
        middle = sampling.dense_clip_frames(num_video_frames, num_test_clips=1, **clip)
        theirs = published_ops.sample_sequence(longer, 4, random=False, stride=temporal_stride)
        self.assertAllEqual(middle[0], theirs)

    @parameterized.parameters(1, 3, 10)
    def test_dense_and_middle_clips_of_short_videos_are_the_published(self, num_video_frames):
        frames = tf.range(num_video_frames)
        dense = sampling.dense_clip_frames(num_video_frames, num_test_clips=2, **_CLIP)
        theirs = published_ops.sample_linspace_sequence(frames, 2, 4, 3)
        self.assertAllEqual(dense, tf.reshape(theirs, [2, 4]))
        middle = sampling.dense_clip_frames(num_video_frames, num_test_clips=1, **_CLIP)
        self.assertAllEqual(middle[0], published_ops.sample_sequence(frames, 4, False, 3))

    def test_refuses_what_is_no_distribution(self):
        with self.assertRaisesRegex(ValueError, "power=0 must be positive"):
            sampling.sample_interval(5, seed=[0, 0], power=0)
        with self.assertRaisesRegex(ValueError, "trend='falling'"):
            sampling.sample_interval(5, seed=[0, 0], trend="falling")


if __name__ == "__main__":
    tf.test.main()
