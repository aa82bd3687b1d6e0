# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Crop, resize and flip on the host, from JPEG to uint8; only the crop is decoded."""

import tensorflow as tf

from official_cvrl.data import augment


def random_crop_resize_flip(
    encoded: tf.Tensor, *, crop_size: int, seed: tf.Tensor, augmentation: augment.Augmentation
) -> tf.Tensor:
    """Decodes a random window of each frame, resizes it and may flip it.

    Args:
        encoded: string [num_frames], JPEGs of one size.
        crop_size: height and width of the result.
        seed: int32 [2].
        augmentation: area, aspect, flip, and whether all frames share one draw.

    Returns:
        uint8 [num_frames, crop_size, crop_size, 3].
    """
    shape = tf.io.extract_jpeg_shape(encoded[0])
    num_frames = encoded.shape[0]
    draws = 1 if augmentation.temporally_consistent else num_frames
    seeds = tf.random.split(seed, draws)
    windows = [_window(shape, s, augmentation) for s in tf.unstack(seeds)]
    flips = [
        tf.random.stateless_uniform([], s + 1) < augmentation.flip_probability
        for s in tf.unstack(seeds)
    ]
    frames = [_decode_window(encoded[i], windows[i % draws], crop_size) for i in range(num_frames)]
    if draws == 1:
        clip = tf.stack(frames)
        return tf.where(flips[0], tf.reverse(clip, [2]), clip)
    return tf.stack(
        [
            tf.where(flip, tf.reverse(frame, [1]), frame)
            for frame, flip in zip(frames, flips, strict=True)
        ]
    )


def resize_shorter_side(frames: tf.Tensor, *, min_resize: int) -> tf.Tensor:
    """Resizes so that the shorter side has min_resize pixels.

    Args:
        frames: uint8 [num_frames, height, width, 3].
        min_resize: pixels.

    Returns:
        uint8 [num_frames, height', width', 3].
    """
    height, width = tf.shape(frames)[1], tf.shape(frames)[2]
    scale = min_resize / tf.minimum(height, width)
    size = [
        tf.cast(tf.round(tf.cast(side, tf.float64) * scale), tf.int32) for side in (height, width)
    ]
    return _resize(frames, size)


def test_crops(frames: tf.Tensor, *, crop_size: int, num_test_crops: int) -> tf.Tensor:
    """Crops squares evenly along the longer side, centred on the other.

    Args:
        frames: uint8 [num_frames, height, width, 3], both sides at least crop_size.
        crop_size: pixels.
        num_test_crops: 1 is the centre.

    Returns:
        uint8 [num_test_crops, num_frames, crop_size, crop_size, 3].
    """
    spare = tf.stack([tf.shape(frames)[1] - crop_size, tf.shape(frames)[2] - crop_size])
    shares = (
        [0.5] if num_test_crops == 1 else [i / (num_test_crops - 1) for i in range(num_test_crops)]
    )
    crops = []
    for share in shares:
        along = tf.where(spare == tf.reduce_max(spare), share, 0.5)
        top, left = tf.unstack(
            tf.cast(tf.cast(spare, tf.float64) * tf.cast(along, tf.float64), tf.int32)
        )
        crops.append(frames[:, top : top + crop_size, left : left + crop_size])
    return tf.ensure_shape(tf.stack(crops), [num_test_crops, None, crop_size, crop_size, 3])


def center_crop(frames: tf.Tensor, *, min_resize: int, crop_size: int) -> tf.Tensor:
    """Resizes and crops the centre: uint8 [num_frames, crop_size, crop_size, 3]."""
    resized = resize_shorter_side(frames, min_resize=min_resize)
    return test_crops(resized, crop_size=crop_size, num_test_crops=1)[0]


def _window(shape, seed, augmentation):
    begin, size, _ = tf.image.stateless_sample_distorted_bounding_box(
        shape,
        tf.constant([[[0.0, 0.0, 1.0, 1.0]]]),
        seed,
        aspect_ratio_range=augmentation.aspect_range,
        area_range=augmentation.area_range,
        max_attempts=100,
    )
    return tf.concat([begin[:2], size[:2]], axis=0)


def _decode_window(encoded, window, crop_size):
    frame = tf.io.decode_and_crop_jpeg(encoded, window, channels=3)
    return _resize(frame, [crop_size, crop_size])


def _resize(frames, size):
    resized = tf.image.resize(frames, size)
    return tf.cast(tf.round(resized), tf.uint8)
