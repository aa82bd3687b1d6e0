# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The published code's input pipeline, tf-models-official's `video_ssl`, with augmentation."""

import glob
import os
from collections.abc import Callable, Mapping

import tensorflow as tf
from official.projects.video_ssl.configs import video_ssl
from official.projects.video_ssl.dataloaders import video_ssl_input

from benchmarks import turns
from benchmarks.peers import own_input


def batches(settings: Mapping, **config) -> tf.data.Dataset:
    """Returns batches of the published parser.

    Args:
        settings: `data_dir`, `split`, `videos`, `num_frames`, `crop_size`, `temporal_stride`.
        **config: further fields of `video_ssl.DataConfig`.
    """
    size = settings["crop_size"]
    config = video_ssl.DataConfig(
        feature_shape=(settings["num_frames"], size, size, 3),
        temporal_stride=settings["temporal_stride"],
        global_batch_size=settings["videos"],
        dtype="float32",
        num_classes=1000,
        **config,
    )
    pattern = os.path.join(settings["data_dir"], f"{settings['split']}-*-of-*")
    dataset = tf.data.TFRecordDataset(sorted(glob.glob(pattern))).repeat()
    dataset = dataset.map(video_ssl_input.Decoder().decode, tf.data.AUTOTUNE)
    parse = video_ssl_input.Parser(config).parse_fn(config.is_training)
    dataset = dataset.map(parse, tf.data.AUTOTUNE)
    dataset = dataset.batch(settings["videos"], drop_remainder=True)
    post = video_ssl_input.PostBatchProcessor(config)
    return dataset.map(post, tf.data.AUTOTUNE).prefetch(2)


def make(settings: Mapping) -> Callable[[], Mapping[str, float]]:
    """Returns what measures `num_batches` batches; see `batches` for the other settings."""
    stream = iter(batches(settings, is_ssl=True, is_training=True))
    clips = 2 * settings["videos"] * settings["num_batches"]
    return own_input.stopwatch(stream, settings["num_batches"], clips)


if __name__ == "__main__":
    turns.serve(make)
