# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Our input pipeline: two views of each video, with or without their colours."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import tensorflow as tf

from benchmarks import turns
from official_cvrl import manifest
from official_cvrl.data import augment, photometric, pipeline


def make(settings: Mapping) -> Callable[[], Mapping[str, float]]:
    """Returns what measures `num_batches` batches.

    Args:
        settings: `data_dir`, `split`, `videos`, `num_frames`, `crop_size`, `temporal_stride`,
            `num_batches`; `colours`: whether what training leaves to the device is counted too.
    """
    augmentation = augment.published()
    stream = pipeline.two_view_batches(
        manifest.find_shards(settings["data_dir"], settings["split"]),
        global_batch_size=settings["videos"],
        seed=0,
        num_frames=settings["num_frames"],
        temporal_stride=settings["temporal_stride"],
        crop_size=settings["crop_size"],
        augmentation=augmentation,
        shuffle_buffer=8,  # As few as the published pipeline's: the others are only memory.
    )
    if settings["colours"]:
        stream = map(_colours(augmentation), stream)
    clips = 2 * settings["videos"] * settings["num_batches"]
    return stopwatch(iter(stream), settings["num_batches"], clips)


def _colours(augmentation):
    def coloured(batch):
        return [
            photometric.photometric(
                batch["views"][:, view],
                batch["seeds"][:, view],
                view=view,
                augmentation=augmentation,
            )
            for view in (0, 1)
        ]

    return tf.function(coloured, autograph=False)


def stopwatch(
    stream: Iterator[Any], num_batches: int, clips: int
) -> Callable[[], Mapping[str, float]]:
    """Returns what takes so many batches and tells clips a second and processor time a clip."""

    def measure():
        start, processor = time.perf_counter(), time.process_time()
        for _ in range(num_batches):
            next(stream)
        return {
            "clips_per_second": clips / (time.perf_counter() - start),
            "processor_ms": (time.process_time() - processor) / clips * 1e3,
        }

    # Buffers fill up and the automatic tuning settles.
    measure()
    return measure


if __name__ == "__main__":
    turns.serve(make)
