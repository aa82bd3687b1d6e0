# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tiny shards for the tests of the pipeline: every video another colour gradient."""

import cv2
import numpy as np
import tensorflow as tf

from official_cvrl import manifest, records


def jpegs(count, *, height=20, width=24, seed=0):
    """Returns frames of smooth noise, JPEG with halved chroma, each unlike the others."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, [count, 5, 6, 3], np.uint8)
    frames = [cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC) for part in coarse]
    return [cv2.imencode(".jpg", frame)[1].tobytes() for frame in frames]


def _example(number, frames, labels):
    return records.encode_example(
        frames,
        height=0,
        width=0,
        frame_rate=10.0,
        timestamps_us=range(len(frames)),
        labels=labels,
        example_id=f"video {number}",
    )


def write(folder, *counts, num_frames=9, split="train", labels=None, **changes):
    """Writes a shard for each count and returns the set.

    Args:
        folder: where to.
        *counts: videos of each shard, numbered through.
        num_frames: of each video.
        split: name.
        labels: of every video; None gives each its number.
        **changes: `video_3=[...]` gives the fourth video other frames.
    """
    number = 0
    for index, count in enumerate(counts):
        name = manifest.shard_name(split, index=index, num_shards=len(counts))
        with tf.io.TFRecordWriter(str(folder / name)) as writer:
            for _ in range(count):
                frames = changes.get(f"video_{number}") or jpegs(num_frames, seed=number)
                own = [number] if labels is None else labels
                writer.write(_example(number, frames, own))
                number += 1
    return manifest.find_shards(folder, split)


def write_empty(folder):
    """Writes one record that holds no frames and returns the set."""
    example = tf.train.SequenceExample()
    example.context.feature["example/id"].bytes_list.value.append(b"empty")
    example.feature_lists.feature_list["image/encoded"].SetInParent()
    path = str(folder / manifest.shard_name("train", index=0, num_shards=1))
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(example.SerializeToString())
    return manifest.ShardSet(
        paths=(path,),
        num_examples=1,
        examples_per_shard=(1,),
        label_names=(),
        compression="",
        split="train",
    )


def by_label(batches, name):
    """Returns the rows of batches by their label, padding left out."""
    rows = {}
    for batch in batches:
        for label, value in zip(batch["label"].numpy(), batch[name].numpy(), strict=True):
            rows.setdefault(int(label), []).append(value)
    return rows
