# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Crops, resizes and flips against the published code, and as properties."""

import cv2
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from official.vision.ops import preprocess_ops_3d as published

from official_cvrl.data import augment, decode, spatial
from tests.data import distributions, shards

_AUGMENTATION = augment.crop_flip_only()


def _seeds(count):
    return tf.stack([tf.range(count), tf.fill([count], 7)], axis=1)


def _decoded(frames):
    return tf.stack([tf.io.decode_jpeg(frame, channels=3) for frame in frames])


def _in_map(function, *arguments):
    """The result of a function inside tf.data.map."""
    dataset = tf.data.Dataset.from_tensors(arguments).map(function)
    return next(iter(dataset)).numpy()


def _draw_all(size, count, augmentation):
    @tf.function
    def draw_all():
        return tf.map_fn(
            lambda seed: tuple(spatial.draw(size, seed=seed, augmentation=augmentation)),
            _seeds(count),
            fn_output_signature=(tf.int32, tf.bool),
        )

    return [part.numpy() for part in draw_all()]


def _published_windows(height, width, count):
    @tf.function
    def sample(_):
        begin, size, _ = tf.image.sample_distorted_bounding_box(
            [height, width, 3],
            tf.constant([[[0.0, 0.0, 1.0, 1.0]]]),
            min_object_covered=0.1,
            aspect_ratio_range=(0.5, 2.0),
            area_range=(0.3, 1.0),
            max_attempts=100,
        )
        return tf.concat([begin[:2], size[:2]], axis=0)

    dataset = tf.data.Dataset.range(count).map(sample)
    return np.array(list(dataset.as_numpy_iterator()))


def _two_sample_distance(a, b):
    """The Kolmogorov–Smirnov statistic, and what it exceeds one time in a thousand."""
    places = np.sort(np.concatenate([a, b]))
    cdfs = [np.searchsorted(np.sort(part), places, "right") / len(part) for part in (a, b)]
    return np.abs(cdfs[0] - cdfs[1]).max(), 1.95 * np.sqrt((len(a) + len(b)) / (len(a) * len(b)))


class DrawTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters((320, 426), (426, 320))
    def test_windows_are_distributed_as_the_published(self, height, width):
        count = 3000
        windows, flips = _draw_all(tf.constant([height, width]), count, _AUGMENTATION)
        theirs = _published_windows(height, width, count)
        for measure in (
            lambda w: w[:, 2] * w[:, 3] / (height * width),
            lambda w: w[:, 3] / w[:, 2],
            lambda w: w[:, 0],
            lambda w: w[:, 1],
        ):
            distance, limit = _two_sample_distance(measure(windows), measure(theirs))
            self.assertLess(distance, limit)
        distributions.assert_share(flips, 0.5)
        distributions.assert_uncorrelated(windows, flips)

    def test_windows_follow_their_formula(self):
        """In a square, where no window of these aspects has to be drawn again."""
        side = 3000
        windows, _ = _draw_all(tf.constant([side, side]), 4000, _AUGMENTATION)
        top, left, height, width = windows.T
        aspect = width / height
        distributions.assert_uniform(np.clip(aspect, 0.5, 2.0), 0.5, 2.0)
        least, most = side * np.sqrt(0.3 / aspect), side * np.minimum(1, 1 / aspect)
        distributions.assert_uniform(np.clip((height - least) / (most - least), 0, 1))
        for start, extent in ((top, height), (left, width)):
            free = extent < side
            distributions.assert_uniform((start[free] + 0.5) / (side - extent[free]))
        distributions.assert_uncorrelated(
            aspect, (height - least) / (most - least), top / (side + 1 - height)
        )

    def test_ranges_are_those_of_the_augmentation(self):
        narrow = augment.Augmentation(
            area_range=(0.1, 0.2), aspect_range=(0.9, 1.1), flip_probability=0.0
        )
        windows, flips = _draw_all(tf.constant([400, 400]), 200, narrow)
        area, aspect = windows[:, 2] * windows[:, 3] / 160000, windows[:, 3] / windows[:, 2]
        self.assertAllInRange(area, 0.098, 0.202)
        self.assertAllInRange(aspect, 0.88, 1.12)
        self.assertFalse(flips.any())

    def test_windows_lie_within_the_frame(self):
        windows, _ = _draw_all(tf.constant([20, 24]), 300, _AUGMENTATION)
        self.assertAllInRange(windows[:, 0] + windows[:, 2], 1, 20)
        self.assertAllInRange(windows[:, 1] + windows[:, 3], 1, 24)
        self.assertAllInRange(windows[:, :2], 0, 23)


class ApplyTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(0x111111, 0x211111, 0x221111, 0x411111)
    def test_window_equals_that_of_the_whole_frame(self, sampling):
        generator = np.random.default_rng(0)
        picture = generator.integers(0, 256, [45, 70, 3], np.uint8)
        options = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
        encoded = tf.constant([cv2.imencode(".jpg", picture, options)[1].tobytes()])
        whole = _decoded(encoded)
        for _ in range(60):
            top, left = generator.integers(0, [45, 70])
            height, width = generator.integers(1, [46 - top, 71 - left])
            window = decode.decode_window(encoded, tf.constant([top, left, height, width]))
            self.assertAllEqual(window, whole[:, top : top + height, left : left + width])

    @parameterized.parameters(False, True)
    def test_equals_the_published_given_the_same_draws(self, flip):
        frames = tf.constant(shards.jpegs(3, height=37, width=53))
        for seed in _seeds(12):
            drawn = spatial.draw(tf.constant([37, 53]), seed=seed, augmentation=_AUGMENTATION)
            drawn = drawn._replace(flip=tf.constant(flip))
            top, left, height, width = drawn.window.numpy()
            crop = _decoded(frames)[:, top : top + height, left : left + width]
            expected = tf.cast(tf.image.resize(crop, [16, 16]), tf.uint8)
            expected = tf.image.flip_left_right(expected) if flip else expected
            self.assertAllEqual(spatial.apply(frames, drawn, crop_size=16), expected)

    def test_in_a_map_it_is_what_it_is_eagerly(self):
        frames, seed = tf.constant(shards.jpegs(3)), tf.constant([1, 2])
        for consistent in (True, False):
            chosen = augment.Augmentation(temporally_consistent=consistent)

            def run(frames, seed, chosen=chosen):
                return spatial.random_crop_resize_flip(
                    frames, crop_size=8, seed=seed, augmentation=chosen
                )

            self.assertAllEqual(_in_map(run, frames, seed), run(frames, seed))

    def test_equal_frames_stay_equal_if_consistent_and_do_not_if_independent(self):
        frames = tf.constant(shards.jpegs(1) * 4)
        for consistent in (True, False):
            clip = spatial.random_crop_resize_flip(
                frames,
                crop_size=8,
                seed=tf.constant([3, 4]),
                augmentation=augment.Augmentation(temporally_consistent=consistent),
            )
            self.assertLen(np.unique(clip, axis=0), 1 if consistent else 4)


class TestViewsTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters((40, 61), (61, 40), (40, 40), (33, 57), (16, 47))
    def test_equals_the_published_evaluation(self, height, width):
        frames = tf.constant(shards.jpegs(2, height=height, width=width))
        resized = published.resize_smallest(_decoded(frames), 16)
        expected = tf.split(published.crop_image(resized, 16, 16, num_crops=3), 3)

        def run(frames):
            ours = spatial.decode_resized(frames, min_resize=16)
            return spatial.test_crops(ours, crop_size=16, num_test_crops=3)

        self.assertAllEqual(run(frames), tf.stack(expected))
        self.assertAllEqual(_in_map(run, frames), tf.stack(expected))

    @parameterized.parameters((40, 61), (61, 40), (48, 48))
    def test_centre_equals_the_published(self, height, width):
        frames = _decoded(shards.jpegs(2, height=height, width=width))
        expected = published.crop_image(published.resize_smallest(frames, 20), 16, 16, num_crops=1)
        ours = spatial.center_crop(frames, min_resize=20, crop_size=16)
        self.assertAllEqual(ours, expected)

    @parameterized.parameters((20, 31, False), (31, 20, True), (20, 20, True))
    def test_crops_move_along_the_longer_side_only(self, height, width, tall):
        rows, columns = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
        frame = np.stack([rows, columns, 0 * rows], axis=-1)[np.newaxis].astype(np.uint8)
        crops = spatial.test_crops(tf.constant(frame), crop_size=16, num_test_crops=5)
        corners = crops[:, 0, 0, 0, :2].numpy()
        spare = max(height, width) - 16
        moving, still = (0, 1) if tall else (1, 0)
        self.assertAllEqual(corners[:, moving], np.round(np.linspace(0, spare, 5)))
        self.assertAllEqual(corners[:, still], [2] * 5)


class ReadableTest(tf.test.TestCase, parameterized.TestCase):
    def _check(self, frames):
        check = tf.function(lambda frames: decode.readable(frames, example_id="a video"))
        return check(tf.constant(frames))

    def test_whole_jpegs_pass_also_with_something_behind_them(self):
        frames = shards.jpegs(3)
        self.assertAllEqual(self._check(frames), frames)
        padded = [*frames[:2], frames[2] + b"\0\0"]
        self.assertAllEqual(self._check(padded), padded)

    @parameterized.named_parameters(
        ("cut_off", lambda frame: frame[:-60], "no whole JPEG"),
        ("garbage", lambda frame: b"garbage", "no whole JPEG"),
        (
            "png",
            lambda _: cv2.imencode(".png", np.zeros([20, 24, 3], np.uint8))[1].tobytes(),
            "PNG.*encode every frame as RGB JPEG",
        ),
        (
            "other_size",
            lambda _: shards.jpegs(1, height=22)[0],
            "different sizes, 20x24 and 22x24",
        ),
    )
    def test_faults_name_the_example(self, spoil, words):
        frames = shards.jpegs(3)
        frames[1] = spoil(frames[1])
        with self.assertRaisesRegex(tf.errors.InvalidArgumentError, "example a video .*" + words):
            self._check(frames)


if __name__ == "__main__":
    tf.test.main()
