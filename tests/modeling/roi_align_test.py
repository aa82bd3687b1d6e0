# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""RoIAlign against one written sample by sample, and against what it must be on simple maps."""

import numpy as np
import pytest
import tensorflow as tf

from official_cvrl.modeling import roi_align


def _sample(image, y, x):
    """Bilinear, with pixel (i, j) at (i, j) and the outermost value beyond."""
    y, x = min(max(y, 0.0), image.shape[0] - 1.0), min(max(x, 0.0), image.shape[1] - 1.0)
    top, left = int(np.floor(y)), int(np.floor(x))
    bottom, right = min(top + 1, image.shape[0] - 1), min(left + 1, image.shape[1] - 1)
    upper = image[top, left] * (1 - (x - left)) + image[top, right] * (x - left)
    lower = image[bottom, left] * (1 - (x - left)) + image[bottom, right] * (x - left)
    return upper * (1 - (y - top)) + lower * (y - top)


def _expected(image, box, size, samples):
    height, width, channels = image.shape
    ymin, xmin, ymax, xmax = box * [height, width, height, width]
    step_y, step_x = (ymax - ymin) / size, (xmax - xmin) / size
    found = np.zeros([size, size, channels])
    for row in range(size):
        for column in range(size):
            for i in range(samples):
                for j in range(samples):
                    y = ymin + (row + (i + 0.5) / samples) * step_y
                    x = xmin + (column + (j + 0.5) / samples) * step_x
                    found[row, column] += _sample(image, y - 0.5, x - 0.5) / samples**2
    return found


def _boxes(generator, *shape):
    low, high = generator.uniform(0, 0.5, [*shape, 2]), generator.uniform(0.5, 1, [*shape, 2])
    return np.concatenate([low, high], axis=-1)


@pytest.mark.parametrize(("size", "samples"), [(1, 1), (3, 2), (7, 2)])
def test_equals_sample_by_sample(size, samples):
    generator = np.random.default_rng(size)
    images = generator.normal(size=[2, 5, 8, 3])
    boxes = _boxes(generator, 2, 4)
    boxes[0, 0], boxes[1, 3] = [0, 0, 1, 1], [0.4, 0.3, 0.41, 0.3]
    found = roi_align.roi_align(
        tf.constant(images), tf.constant(boxes), output_size=size, samples_per_bin=samples
    )
    for image, of_image, results in zip(images, boxes, found.numpy(), strict=True):
        for box, result in zip(of_image, results, strict=True):
            np.testing.assert_allclose(result, _expected(image, box, size, samples), atol=1e-12)


def test_a_box_of_whole_pixels_holds_these_pixels():
    image = np.random.default_rng(0).normal(size=[1, 6, 9, 2]).astype(np.float32)
    boxes = np.array([[[2 / 6, 3 / 9, 5 / 6, 6 / 9]]], np.float32)
    found = roi_align.roi_align(image, boxes, output_size=3, samples_per_bin=1)
    np.testing.assert_allclose(found[0, 0], image[0, 2:5, 3:6], atol=1e-5)


def test_gradients_are_those_of_the_samples():
    image = tf.constant(np.random.default_rng(1).normal(size=[1, 5, 6, 2]))
    boxes = tf.constant(_boxes(np.random.default_rng(2), 1, 3))
    theory, numeric = tf.test.compute_gradient(
        lambda features: roi_align.roi_align(features, boxes, output_size=2), [image]
    )
    np.testing.assert_allclose(theory, numeric, atol=1e-6)
