# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Frames by hand, and intervals against the formula they are drawn from."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from official_cvrl.data import sampling


def _density(share, power, trend):
    if trend == "uniform":
        return np.ones_like(share)
    return share**power if trend == "increasing" else 1 - share**power


class SamplingTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(
        (0.5, "decreasing"),
        (1.0, "decreasing"),
        (2.0, "decreasing"),
        (1.0, "uniform"),
        (1.0, "increasing"),
        (2.0, "increasing"),
    )
    def test_intervals_follow_their_distribution(self, power, trend):
        count, positions = 20000, 20
        seeds = tf.stack([tf.range(count), tf.zeros([count], tf.int32)], axis=1)
        draw = tf.function(
            lambda: tf.map_fn(
                lambda seed: sampling.sample_interval(
                    positions, seed=seed, power=power, trend=trend
                ),
                seeds,
            )
        )
        observed = np.bincount(draw().numpy(), minlength=positions)
        grid = (np.arange(positions * 1000) + 0.5) / (positions * 1000)
        mass = _density(grid, power, trend).reshape(positions, 1000).sum(axis=1)
        expected = count * mass / mass.sum()
        chi2 = np.sum((observed - expected) ** 2 / expected)
        self.assertLess(chi2, 43.8)  # 19 degrees of freedom, p = 0.001

    def test_two_clips_stay_in_the_video_and_in_order_of_frames(self):
        orders = set()
        for seed in range(20):
            first, second = sampling.two_view_frames(
                50, num_frames=4, temporal_stride=3, seed=tf.constant([seed, 1])
            )
            for clip in (first, second):
                self.assertAllEqual(np.diff(clip), [3, 3, 3])
                self.assertBetween(int(clip[0]), 0, 50 - 10)
                self.assertBetween(int(clip[-1]), 0, 49)
            orders.add(np.sign(int(second[0] - first[0])))
        self.assertContainsSubset({-1, 1}, orders)

    def test_a_short_video_wraps_round(self):
        first, _ = sampling.two_view_frames(
            3, num_frames=5, temporal_stride=2, seed=tf.constant([0, 1])
        )
        self.assertAllEqual(np.diff(first) % 3, [2, 2, 2, 2])

    def test_without_temporal_augmentation_both_clips_are_one(self):
        first, second = sampling.two_view_frames(
            50,
            num_frames=4,
            temporal_stride=3,
            seed=tf.constant([0, 1]),
            temporal_augmentation=False,
        )
        self.assertAllEqual(first, second)

    def test_dense_and_middle_clips(self):
        arguments = {"num_frames": 3, "temporal_stride": 2}
        dense = sampling.dense_clip_frames(11, num_test_clips=4, **arguments)
        self.assertAllEqual(dense, [[0, 2, 4], [2, 4, 6], [4, 6, 8], [6, 8, 10]])
        middle = sampling.dense_clip_frames(11, num_test_clips=1, **arguments)
        self.assertAllEqual(middle, [[3, 5, 7]])

    def test_refuses_what_is_no_distribution(self):
        with self.assertRaisesRegex(ValueError, "power=0 must be positive"):
            sampling.sample_interval(5, seed=[0, 0], power=0)
        with self.assertRaisesRegex(ValueError, "trend='falling'"):
            sampling.sample_interval(5, seed=[0, 0], trend="falling")


if __name__ == "__main__":
    tf.test.main()
