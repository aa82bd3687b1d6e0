# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Detection: what counts in the loss and in the test, on one replica and on two."""

import functools

import cv2
import numpy as np
import pytest
import tensorflow as tf

from official_cvrl import manifest, records, regions
from official_cvrl.data import augment, clip_format, detection, feed
from official_cvrl.modeling import action_head
from official_cvrl.tasks import detect
from tests import replicas
from tests.tasks import tiny

_WHOLE = augment.Augmentation(area_range=(1.0, 1.0), aspect_range=(1.0, 1.0), flip_probability=0.0)


def _record(number, num_boxes):
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
        example_id=f"film{number}@{902 + number}",
        key_frame=regions.KeyFrame(1, tuple(boxes)),
    )


@pytest.fixture(scope="module", name="data_dir")
def _data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    for split, nums_boxes in (("train", (3, 1, 0, 2)), ("test", (2, 1, 3))):
        name = manifest.shard_name(split, index=0, num_shards=1)
        with tf.io.TFRecordWriter(str(folder / name)) as writer:
            for number, num_boxes in enumerate(nums_boxes):
                writer.write(_record(number, num_boxes))
    (folder / "labels.txt").write_text("a\nb\nc\n")
    return folder


def _task(data_dir, *, make_strategy=tiny.one_device, **changes):
    strategy = make_strategy()
    tf.keras.utils.set_random_seed(0)
    clip = {"num_frames": 2, "temporal_stride": 1}
    source = feed.Feed(
        data_dir=str(data_dir),
        strategy=strategy,
        global_batch_size=4,
        seed=0,
        train_input=functools.partial(
            detection.train_batches, crop_size=32, augmentation=_WHOLE, max_boxes=4, **clip
        ),
        test_input=detection.TestInput(
            clip=clip_format.ClipFormat(min_resize=32, crop_size=32, **clip),
            longest_side=32,
            boxes_from="ground_truth",
            max_boxes=4,
            global_batch_size=2,
        ),
        probe_input=None,
        train_split="train",
        test_split="test",
    )
    settings = {
        "backbone": tiny.backbone,
        "action_head": functools.partial(action_head.ActionHead, roi_size=2, dropout_rate=0.5),
        "optimizer": tiny.sgd,
    }
    with strategy.scope():
        return detect.Detection(strategy=strategy, feed=source, **settings | changes), strategy


def test_the_update_does_not_depend_on_the_number_of_replicas(data_dir):
    tf.keras.mixed_precision.set_global_policy("float64")
    after = []
    for make_strategy in (tiny.one_device, replicas.two_replicas):
        task, strategy = _task(data_dir, make_strategy=make_strategy, decay=1e-3)
        outputs = tiny.steps(task, strategy, 2)
        losses = [value for step in outputs for value in step.values()]
        after.append([*losses, *tiny.values(task.backbone), *tiny.values(task.action_head)])
    tf.keras.mixed_precision.set_global_policy("float32")
    for one, two in zip(*after, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-9)


def test_the_loss_is_the_mean_over_the_boxes_that_count(data_dir):
    task, strategy = _task(data_dir)
    batch = next(iter(task.train_dataset(start_step=0)))
    clips = tf.cast(batch["clips"], tf.float32) / 255.0
    conv5 = task.backbone(clips, training=True)["conv5"]
    logits = task.action_head(conv5, batch["boxes"], batch["dropout_seeds"]).numpy()
    counts = batch["box_weight"].numpy() > 0
    assert counts.sum() == 6
    chosen, labels = logits[counts], batch["labels"].numpy()[counts]
    expected = np.mean(np.log1p(np.exp(chosen)) - labels * chosen)
    (outputs,) = tiny.steps(task, strategy, 1)
    assert outputs["detection_loss"] == pytest.approx(expected, rel=1e-4)


def test_the_test_measures_every_box_once_and_writes_what_the_evaluator_reads(data_dir, tmp_path):
    path = tmp_path / "predictions.csv"
    task, _ = _task(data_dir, predictions=str(path))
    results = task.evaluate()
    assert 0 < results["frame_map"] < 1
    rows = [line.split(",") for line in path.read_text().splitlines()]
    assert len(rows) == 6 * 3
    assert {(row[0], row[1]) for row in rows} == {
        ("film0", "0902"),
        ("film1", "0903"),
        ("film2", "0904"),
    }
    assert {row[6] for row in rows} == {"1", "2", "3"}
    assert rows[0][2:6] == ["0", "0.100000001", "0.300000012", "0.899999976"]


def test_a_class_that_is_none_is_refused(data_dir):
    with pytest.raises(ValueError, match="tested_classes holds 3"):
        _task(data_dir, tested_classes=(0, 3))
