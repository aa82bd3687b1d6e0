# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What is no augmentation, and the ones that have a name."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from official_cvrl.data import augment, photometric, seeds, spatial


@pytest.mark.parametrize(
    "wrong",
    [
        {"flip_probability": 1.5},
        {"brightness": -1},
        {"saturation": float("nan")},
        {"hue": 0.6},
        {"area_range": (0.5, 3.0)},
        {"area_range": (0.5, 0.3)},
        {"aspect_range": (1.0,)},
        {"blur_probabilities": (1.0,)},
        {"solarize_probabilities": 0.2},
        {"blur_sigma_range": (0.1, 1.0, 2.0)},
        {"rand_augment_operations": -1},
        {"rand_augment_magnitude": 11.0},
    ],
)
def test_refuses_by_name(wrong):
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))}="):
        augment.Augmentation(**wrong)


def test_without_spatial_augmentation_a_clip_is_the_resized_middle_of_its_frames():
    frames = np.random.default_rng(0).integers(0, 256, [2, 16, 28, 3], np.uint8)
    encoded = tf.constant([cv2.imencode(".png", frame)[1].tobytes() for frame in frames[..., ::-1]])
    encoded = tf.map_fn(
        lambda png: tf.io.encode_jpeg(
            tf.io.decode_png(png), quality=100, chroma_downsampling=False
        ),
        encoded,
    )
    decoded = np.stack([tf.io.decode_jpeg(frame, dct_method="INTEGER_FAST") for frame in encoded])
    for number in range(8):
        seed = seeds.split(tf.constant([number, 7]), 1)[0]
        clip = spatial.random_crop_resize_flip(
            encoded, crop_size=16, seed=seed, augmentation=augment.no_spatial()
        )
        np.testing.assert_allclose(clip, decoded[:, :, 6:22], atol=3)
        for view in (0, 1):
            look = photometric.photometric(
                clip[tf.newaxis], seed[tf.newaxis], view=view, augmentation=augment.no_spatial()
            )
            np.testing.assert_allclose(look[0], clip.numpy() / 255.0, atol=1e-6)


def test_rand_augment_stands_in_place_of_the_colours():
    augmentation = augment.rand_augment()
    assert augmentation == augment.Augmentation(
        jitter_probability=0.0,
        grey_probability=0.0,
        blur_probabilities=(0.0, 0.0),
        solarize_probabilities=(0.0, 0.0),
        rand_augment_operations=2,
    )
