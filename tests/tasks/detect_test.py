# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Detection: what counts in the loss and in the test, on one replica and on two."""

import csv

import numpy as np
import pytest
import tensorflow as tf

from official_cvrl import errors
from tests import replicas
from tests.tasks import tiny, tiny_detector


@pytest.fixture(scope="module", name="data_dir")
def _data_dir(tmp_path_factory):
    return tiny_detector.write_records(tmp_path_factory.mktemp("records"))


def _task(data_dir, *, make_strategy=tiny.one_device, **changes):
    source = tiny_detector.make_feed(data_dir, make_strategy())
    changes = {"backbone": tiny.OneBlock} | changes
    return tiny_detector.make_task(source, **changes), source.strategy


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


def test_a_name_without_a_time_is_a_film_of_its_own(tmp_path):
    names = ("plain", "film@nan", "film@inf", "film@soon", "@902", "a@b@0904.5", "@")
    examples = [
        tiny_detector.record(number, 1, example_id=name) for number, name in enumerate(names)
    ]
    data_dir = tiny_detector.write_records(tmp_path / "records")
    tiny_detector.write_split(data_dir, "test", examples)
    task, _ = _task(data_dir, predictions=str(tmp_path / "said.csv"))
    task.evaluate()
    with open(tmp_path / "said.csv", newline="", encoding="utf-8") as file:
        found = [tuple(row[:2]) for row in csv.reader(file)][::3]
    assert found == [
        *((name, "0000") for name in ("plain", "film@nan", "film@inf", "film@soon", "@902")),
        ("a@b", "904.5"),
        ("@", "0000"),
    ]


def test_predictions_that_cannot_be_written_are_refused_before_training_or_named(
    data_dir, tmp_path
):
    task, _ = _task(data_dir, predictions=str(tmp_path / "gone" / "said.csv"))
    for step in (task.check_evaluation, task.evaluate):
        with pytest.raises(errors.UserError, match=r"cannot.*Detection\.predictions=FILE\.csv"):
            step()
    _task(data_dir, predictions=str(tmp_path / "said.csv"))[0].check_evaluation()


def test_a_class_that_is_none_is_refused(data_dir):
    with pytest.raises(ValueError, match="tested_classes holds 3"):
        _task(data_dir, tested_classes=(0, 3))
