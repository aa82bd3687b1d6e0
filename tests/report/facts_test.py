# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The facts of a run in words."""

import os

import numpy as np
import pytest

from official_cvrl import run_info
from official_cvrl.report import events, facts, runs
from tests.report import conftest


def _series(*values):
    return events.Series(np.arange(1, len(values) + 1) * 10, np.array(values))


_TRAIN = events.Events(
    {
        "loss": _series(3.0, 2.0, 1.0),
        "clips_per_second": _series(1.0, 40.25, 41.0),
        "input_wait_share": _series(0.0, 0.1, 0.2),
    },
    {},
    seconds=3700,
    ended=1_800_000_000.0,
)


def _facts(run, train=_TRAIN):
    data = facts.read_data([run])
    return dict(facts._facts(run, train, data[run.info.data_dir]))


def test_a_trained_run(demo):
    found = _facts(runs.read(demo / "pretrain"))
    assert found == {
        "Steps": "30",
        "Batch": "8 videos",
        "Time": "1 h 1 min",
        "Speed": "40.2 clips a second, the median",
        "Input wait": "10.0% of the time, for the next batch",
        "Last step": "15 January 2027, 08:00 UTC",
        "Data": str(demo / "records"),
        "Videos": "6 train, 2 test, 2 classes",
        "Model": "R3D-18 ×0.0625",
        "Clip": "4 frames in a row, 16 × 16 pixels",
        "Folder": str(demo / "pretrain"),
        "Version": f"official_cvrl {run_info.read(str(demo / 'pretrain')).version}",
    }


def test_a_run_without_a_step_on_data_that_is_gone(tmp_path):
    run = conftest.write_run(tmp_path / "run", data_dir=tmp_path / "gone", clip=None, config="")
    found = _facts(runs.read(run), events.read(os.path.join(run, "train")))
    shown = {name: text for name, text in found.items() if text}
    assert shown.keys() == {"Data", "Videos", "Model", "Folder", "Version"}
    assert shown["Videos"] == "the folder cannot be read any more"
    data = facts.read_data([runs.read(run)])[str(tmp_path / "gone")]
    assert "no such directory" in data.fault
    assert (data.num_classes, data.num_videos) == (0, {})


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.6, "1 min 0 s"), (347.1, "5 min 47 s"), (7260, "2 h 1 min")],
)
def test_duration(seconds, words):
    assert facts.duration(seconds) == words


@pytest.mark.parametrize(
    ("config", "count"),
    [
        (conftest.PRETRAINING, 8),
        (conftest.LINEAR + "experiment.run.global_batch_size = 8", 0),
        ("", 0),
    ],
)
def test_candidates_of_a_contrastive_batch(tmp_path, config, count):
    run = conftest.write_run(tmp_path / "run", data_dir=tmp_path, config=config)
    assert facts.num_candidates(runs.read(run)) == count
