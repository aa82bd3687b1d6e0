# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What the tests of detection share: films of noise with boxes, a detector of a few weights."""

import functools
import os

import cv2
import numpy as np
import tensorflow as tf

from official_cvrl import manifest, records, regions, run_info
from official_cvrl.data import augment, clip_format, detection, feed
from official_cvrl.modeling import action_head
from official_cvrl.tasks import detect
from tests.tasks import tiny

LABELS = ("a", "b", "c")
_WHOLE = augment.Augmentation(area_range=(1.0, 1.0), aspect_range=(1.0, 1.0), flip_probability=0.0)


def record(number, num_boxes, *, example_id=None):
    """Returns a record of three frames of 32 pixels, the boxes in the second."""
    generator = np.random.default_rng(number)
    frames = [
        cv2.imencode(".jpg", generator.integers(0, 256, [32, 32, 3], np.uint8))[1].tobytes()
        for _ in range(3)
    ]
    boxes = [
        regions.Box(0.1, 0.2 * index, 0.9, 0.2 * index + 0.3, labels=((number + index) % 3,))
        for index in range(num_boxes)
    ]
    return records.encode_example(
        frames,
        height=32,
        width=32,
        frame_rate=10.0,
        timestamps_us=range(3),
        example_id=f"film{number}@{902 + number}" if example_id is None else example_id,
        key_frame=regions.KeyFrame(1, tuple(boxes)),
    )


def write_split(folder, split, examples):
    """Writes a shard of serialized records."""
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, manifest.shard_name(split, index=0, num_shards=1))
    with tf.io.TFRecordWriter(path) as writer:
        for example in examples:
            writer.write(example)


def write_records(folder, *, label_names=LABELS):
    """Writes four films to train on and three to test on; returns the folder."""
    for split, nums_boxes in (("train", (3, 1, 0, 2)), ("test", (2, 1, 3))):
        examples = [record(number, num_boxes) for number, num_boxes in enumerate(nums_boxes)]
        write_split(folder, split, examples)
    manifest.write_labels(folder, label_names)
    return folder


def make_feed(data_dir, strategy):
    """Returns a feed of batches of four films."""
    clip = {"num_frames": 2, "temporal_stride": 1}
    return feed.Feed(
        data_dir=str(data_dir),
        strategy=strategy,
        global_batch_size=4,
        seed=0,
        train_input=detection.TrainInput(crop_size=32, augmentation=_WHOLE, max_boxes=4, **clip),
        test_input=detection.TestInput(
            clip=clip_format.ClipFormat(min_resize=32, crop_size=32, **clip),
            longest_side=48,
            boxes_from="ground_truth",
            max_boxes=4,
            global_batch_size=2,
        ),
        probe_input=None,
        train_split="train",
        test_split="test",
    )


def make_task(source, **changes):
    """Returns a detection task."""
    settings = {
        "backbone": tiny.backbone,
        "action_head": functools.partial(action_head.ActionHead, roi_size=2, dropout_rate=0.5),
        "optimizer": tiny.sgd,
    }
    tf.keras.utils.set_random_seed(0)
    with source.strategy.scope():
        return detect.Detection(strategy=source.strategy, feed=source, **settings | changes)


def write_run(model_dir, source, task):
    """Leaves what a training run leaves: run.json and a checkpoint."""
    os.makedirs(model_dir, exist_ok=True)
    info = run_info.RunInfo(
        data_dir=source.data_dir,
        backbone=task.backbone.get_config(),
        clip=source.test_input.clip,
        action_head=task.action_head.get_config(),
        label_names=source.label_names,
        key_frames=source.test_input.settings,
    )
    run_info.write(str(model_dir), info)
    items = {"backbone": task.backbone, "action_head": task.action_head}
    tf.train.CheckpointManager(tf.train.Checkpoint(**items), str(model_dir), 1).save(1)
