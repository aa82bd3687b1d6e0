# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The detector of a run's folder says what the task that trained it says."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from official_cvrl import errors, run_info
from official_cvrl.tasks import detector
from tests.tasks import tiny, tiny_detector


@pytest.fixture(scope="module", name="source")
def _source(tmp_path_factory):
    data_dir = tiny_detector.write_records(tmp_path_factory.mktemp("records"))
    return tiny_detector.make_feed(data_dir, tiny.one_device())


def test_scores_are_those_of_the_evaluation(source, tmp_path):
    said = tmp_path / "said.csv"
    task = tiny_detector.make_task(source, predictions=str(said))
    kernel = task.action_head.output_layer.kernel
    kernel.assign(np.random.default_rng(0).normal(size=kernel.shape))
    task.evaluate()
    tiny_detector.write_run(tmp_path / "run", source, task)
    found = detector.Detector(str(tmp_path / "run"))
    assert found.label_names == tiny_detector.LABELS
    scores = []
    for number, num_boxes in enumerate((2, 1, 3)):
        serialized = tf.constant(tiny_detector.record(number, num_boxes))
        shown = found.tested.example(serialized, label_names=found.label_names)
        asked = shown["is_tested"].numpy() > 0
        boxes = shown["canvas_boxes"].numpy()[asked]
        scores += found.scores(shown["clips"].numpy(), boxes).ravel().tolist()
    rows = [line.split(",") for line in said.read_text().splitlines()]
    assert len(rows) == 6 * 3
    np.testing.assert_allclose(scores, [float(row[-1]) for row in rows], rtol=1e-5)
    assert np.ptp(scores) > 0.01


def test_any_number_of_boxes(source, tmp_path):
    tiny_detector.write_run(tmp_path, source, tiny_detector.make_task(source))
    found = detector.Detector(str(tmp_path))
    clip = np.random.default_rng(0).integers(0, 256, [2, 32, 48, 3], np.uint8)
    boxes = np.float32(np.random.default_rng(1).uniform([0, 0, 0.5, 0.5], [0.4, 0.4, 1, 1], (9, 4)))
    together = found.scores(clip, boxes)
    alone = [found.scores(clip, boxes[index : index + 1])[0] for index in range(9)]
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert found.scores(clip, boxes[:0]).shape == (0, 3)


def test_a_run_that_trained_no_detector_is_refused(source, tmp_path):
    tiny_detector.write_run(tmp_path, source, tiny_detector.make_task(source))
    info = dataclasses.replace(run_info.read(str(tmp_path)), data_dir="/my records")
    said = r"trained no detector .*detect\.gin.*'/my records'"
    for field in ("action_head", "key_frames"):
        run_info.write(str(tmp_path), dataclasses.replace(info, **{field: None}))
        with pytest.raises(errors.UserError, match=said):
            detector.Detector(str(tmp_path))
