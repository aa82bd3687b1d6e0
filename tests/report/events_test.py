# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Event files read back."""

import pathlib
import time

import numpy as np
import pytest
import tensorflow as tf

from official_cvrl.report import events
from tests.report import conftest


def _points(folder, tag):
    series = events.read(str(folder)).scalars[tag]
    return dict(zip(series.steps.tolist(), series.values.tolist(), strict=True))


def test_scalars_and_pictures_come_back(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 255, [3, 4, 8, 3], np.uint8)
    conftest.write_events(
        tmp_path, {"loss": {10: 4.0, 20: 3.5}, "top1": {20: 0.5}}, {"pairs": pictures}
    )
    found = events.read(str(tmp_path))
    assert set(found.scalars) == {"loss", "top1"}
    assert _points(tmp_path, "loss") == {10: 4.0, 20: 3.5}
    assert found.ended == pytest.approx(time.time(), abs=60)
    assert 0 < found.seconds < 60
    decoded = [tf.io.decode_png(png).numpy() for png in found.pictures["pairs"]]
    np.testing.assert_array_equal(decoded, pictures)


def test_a_resumed_run_replaces_what_it_did_again(tmp_path):
    conftest.write_events(
        tmp_path, {"loss": {10: 4.0, 20: 3.0, 30: 2.9, 40: 2.8}, "top1": {30: 0.3}}
    )
    time.sleep(1.1)  # Names of event files tell seconds apart.
    conftest.write_events(tmp_path, {"loss": {20: 3.1, 30: 2.5}})
    assert _points(tmp_path, "loss") == pytest.approx({10: 4.0, 20: 3.1, 30: 2.5})
    assert _points(tmp_path, "top1") == pytest.approx({30: 0.3})


def test_a_file_that_ends_within_a_record(tmp_path):
    conftest.write_events(tmp_path, {"loss": {10: 4.0, 20: 3.0, 30: 2.0}})
    (path,) = pathlib.Path(tmp_path).iterdir()
    path.write_bytes(path.read_bytes()[:-5])
    assert _points(tmp_path, "loss") == {10: 4.0, 20: 3.0}


def test_what_is_no_scalar_is_passed_over(tmp_path):
    with tf.summary.create_file_writer(str(tmp_path)).as_default():
        tf.summary.histogram("weights", tf.range(8.0), step=1)
        tf.summary.text("note", "hello", step=1)
        tf.summary.scalar("loss", 4.0, step=1)
    found = events.read(str(tmp_path))
    assert list(found.scalars) == ["loss"]
    assert found.pictures == {}


def test_values_that_are_not_numbers_are_left_out(tmp_path):
    conftest.write_events(
        tmp_path, {"loss": {10: 4.0, 20: float("nan")}, "top1": {10: float("inf")}}
    )
    assert _points(tmp_path, "loss") == {10: 4.0}
    assert "top1" not in events.read(str(tmp_path)).scalars


def test_no_events(tmp_path):
    (tmp_path / "plugins").mkdir()
    (tmp_path / "notes.txt").write_text("not an event file")
    for folder in (tmp_path, tmp_path / "nothing"):
        assert events.read(str(folder)) == events.Events({}, {}, 0.0, 0.0)
