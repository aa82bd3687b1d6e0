# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Crop, resize, flip and RandAugment on the host, from JPEG to uint8; only the crop is decoded."""

from typing import NamedTuple

import tensorflow as tf

from official_cvrl.data import augment, decode, rand_augment, seeds


class Draws(NamedTuple):
    """What was drawn for one clip.

    Attributes:
        window: int32 [4], top, left, height and width of the crop, in pixels.
        flip: bool [].
    """

    window: tf.Tensor
    flip: tf.Tensor


def random_crop_resize_flip(
    encoded: tf.Tensor, *, crop_size: int, seed: tf.Tensor, augmentation: augment.Augmentation
) -> tf.Tensor:
    """Decodes a random window of each frame, resizes it and may flip it (Algorithm 1).

    RandAugment follows where the augmentation asks for it.

    Args:
        encoded: string [num_frames], JPEGs of one size.
        crop_size: height and width of the result.
        seed: int32 [2].
        augmentation: area, aspect, flip, RandAugment, and whether all frames share one draw.

    Returns:
        uint8 [num_frames, crop_size, crop_size, 3].
    """
    size = decode.frame_size(encoded[0])

    def augmented(frames, seed):
        draws = draw(size, seed=seed, augmentation=augmentation)
        clip = apply(frames, draws, crop_size=crop_size)
        if not augmentation.rand_augment_operations:
            return clip
        # The first two are those of window and flip.
        own_seed = seeds.split(seed, 3)[2]
        return rand_augment.rand_augment(clip, seed=own_seed, augmentation=augmentation)

    if augmentation.temporally_consistent:
        return augmented(encoded, seed)
    return tf.map_fn(
        lambda pair: augmented(pair[0][tf.newaxis], pair[1])[0],
        (encoded, seeds.split(seed, encoded.shape[0])),
        fn_output_signature=tf.TensorSpec([crop_size, crop_size, 3], tf.uint8),
    )


def draw(size: tf.Tensor, *, seed: tf.Tensor, augmentation: augment.Augmentation) -> Draws:
    """Draws what happens to one clip's frames.

    As published: the aspect is uniform in its range; the height among those of that aspect whose
    area is in its range and that lie within the frame; the place among all but the last.

    Args:
        size: int32 [2], height and width of the frames.
        seed: int32 [2].
        augmentation: the distributions.
    """
    window_seed, flip_seed = tf.unstack(seeds.split(seed, 2))
    make_window = _random_window if augmentation.random_crop else _middle_window
    return Draws(
        window=make_window(size, seed=window_seed, augmentation=augmentation),
        flip=seeds.uniform(flip_seed) < augmentation.flip_probability,
    )


def _random_window(size, *, seed, augmentation):
    begin, extent, _ = tf.image.stateless_sample_distorted_bounding_box(
        tf.concat([size, [3]], axis=0),
        tf.constant([[[0.0, 0.0, 1.0, 1.0]]]),
        seed,
        min_object_covered=0.0,
        aspect_ratio_range=augmentation.aspect_range,
        area_range=augmentation.area_range,
        max_attempts=100,
    )
    return tf.concat([begin[:2], extent[:2]], axis=0)


def _middle_window(size, *, seed, augmentation):
    del seed, augmentation  # Nothing is drawn.
    side = tf.reduce_min(size)
    return tf.concat([(size - side) // 2, [side, side]], axis=0)


def apply(encoded: tf.Tensor, draws: Draws, *, crop_size: int) -> tf.Tensor:
    """Does to one clip what was drawn for it.

    Args:
        encoded: string [num_frames], JPEGs of one size.
        draws: what to do.
        crop_size: height and width of the result.

    Returns:
        uint8 [num_frames, crop_size, crop_size, 3].
    """
    frames = decode.decode_window(encoded, draws.window)
    clip = _resize(frames, [crop_size, crop_size])
    clip = tf.cond(draws.flip, lambda: _mirrored(clip), lambda: clip)
    return tf.ensure_shape(clip, [encoded.shape[0], crop_size, crop_size, 3])


def decode_resized(encoded: tf.Tensor, *, min_resize: int) -> tf.Tensor:
    """Decodes frames whole and resizes them, one after the other to save memory.

    Args:
        encoded: string [num_frames], JPEGs of one size.
        min_resize: pixels of the shorter side.

    Returns:
        uint8 [num_frames, height', width', 3], see `resize_shorter_side`.
    """

    def resized(frame):
        decoded = tf.io.decode_jpeg(frame, channels=3)
        return resize_shorter_side(decoded[tf.newaxis], min_resize=min_resize)[0]

    return tf.map_fn(resized, encoded, fn_output_signature=tf.uint8)


def decode_fitted(encoded: tf.Tensor, *, height: int, width: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes frames whole and resizes them, in proportion, to fit into a canvas.

    Args:
        encoded: string [num_frames], JPEGs of one size.
        height: of the canvas.
        width: of the canvas; what is left of it, at the right or the bottom, is black.

    Returns:
        uint8 [num_frames, height, width, 3], and which shares of height and width are filled,
        float32 [2].
    """
    size = tf.cast(decode.frame_size(encoded[0]), tf.float32)
    scale = tf.reduce_min([height, width] / size)
    fitted = tf.minimum(tf.cast(tf.round(size * scale), tf.int32), [height, width])

    def resized(frame):
        decoded = _resize(tf.io.decode_jpeg(frame, channels=3), fitted)
        return tf.image.pad_to_bounding_box(decoded, 0, 0, height, width)

    frames = tf.map_fn(
        resized, encoded, fn_output_signature=tf.TensorSpec([height, width, 3], tf.uint8)
    )
    return frames, tf.cast(fitted, tf.float32) / [height, width]


def resize_shorter_side(frames: tf.Tensor, *, min_resize: int) -> tf.Tensor:
    """Resizes so that the shorter side has min_resize pixels; the longer is rounded down.

    Args:
        frames: uint8 [num_frames, height, width, 3].
        min_resize: pixels.

    Returns:
        uint8 [num_frames, height', width', 3].
    """
    size = tf.shape(frames)[1:3]
    return _resize(frames, size * min_resize // tf.reduce_min(size))


def test_crops(frames: tf.Tensor, *, crop_size: int, num_test_crops: int) -> tf.Tensor:
    """Crops squares evenly along the longer side, centred on the other.

    Args:
        frames: uint8 [num_frames, height, width, 3], both sides at least crop_size.
        crop_size: pixels.
        num_test_crops: 1 is the centre.

    Returns:
        uint8 [num_test_crops, num_frames, crop_size, crop_size, 3].
    """
    spare = tf.shape(frames)[1:3] - crop_size
    is_longer = tf.stack([spare[0] >= spare[1], spare[0] < spare[1]])
    along = _evenly(tf.reduce_max(spare), num_test_crops)
    corners = tf.where(is_longer, along[:, tf.newaxis], spare // 2)
    crops = [
        frames[:, top : top + crop_size, left : left + crop_size]
        for top, left in (tf.unstack(corner) for corner in tf.unstack(corners))
    ]
    return tf.ensure_shape(tf.stack(crops), [num_test_crops, None, crop_size, crop_size, 3])


def center_crop(frames: tf.Tensor, *, min_resize: int, crop_size: int) -> tf.Tensor:
    """Resizes and crops the centre: uint8 [num_frames, crop_size, crop_size, 3]."""
    resized = resize_shorter_side(frames, min_resize=min_resize)
    return test_crops(resized, crop_size=crop_size, num_test_crops=1)[0]


def _mirrored(clip):
    # As rows of pixels of three: only such tensors are reversed three bytes at a time.
    rows = tf.reshape(clip, [-1, tf.shape(clip)[2], 3])
    return tf.reshape(tf.reverse(rows, [1]), tf.shape(clip))


def _evenly(last, count):
    """Returns int32 [count] from 0 to last, or the middle if it is one."""
    if count == 1:
        return (last // 2)[tf.newaxis]
    return tf.cast(tf.round(tf.linspace(0.0, tf.cast(last, tf.float32), count)), tf.int32)


def _resize(frames, size):
    # To float32 first: TensorFlow's kernel for it is twice as fast as the one for uint8, and gives
    # the same. The cast back rounds down, as in the published code, whose checkpoints were trained
    # on that.
    return tf.cast(tf.image.resize(tf.cast(frames, tf.float32), size), tf.uint8)
