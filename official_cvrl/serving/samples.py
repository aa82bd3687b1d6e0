# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A request for each signature: a server warms up with them, an export is tried with them."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from official_cvrl import records
from official_cvrl.data import clip_format

# Coarse squares, so that JPEG keeps them and the network has something to see.
_SQUARES = (6, 8)


def requests(clip: clip_format.ClipFormat) -> Mapping[str, Mapping[str, np.ndarray]]:
    """Returns for each signature its input by name, a batch of one; always the same.

    Args:
        clip: what the model takes. Frames are 4:3, their shorter side as it is resized to.
    """
    size = (clip.min_resize, clip.min_resize * 4 // 3)
    frames = _frames(clip.num_frames, size)
    encoded = [tf.io.encode_jpeg(frame, quality=95).numpy() for frame in frames]
    record = records.encode_example(
        encoded,
        height=size[0],
        width=size[1],
        frame_rate=25.0,
        timestamps_us=[index * 40_000 for index in range(len(encoded))],
        example_id="sample",
    )
    examples = {"examples": np.array([record], dtype=object)}
    return {
        "serving_default": {"clips": frames[np.newaxis]},
        "encoded_frames": {"frames": np.array([encoded], dtype=object)},
        "sequence_examples": examples,
        "multi_view": examples,
    }


def _frames(num_frames, size):
    """uint8 [num_frames, *size, 3]: random squares that fade from one frame to the next."""
    first, last = np.random.default_rng(0).uniform(0, 255, [2, *_SQUARES, 3])
    share = np.linspace(0, 1, num_frames)[:, np.newaxis, np.newaxis, np.newaxis]
    squares = tf.constant(first + share * (last - first), tf.float32)
    return tf.cast(tf.image.resize(squares, size, method="nearest"), tf.uint8).numpy()
