# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The runs of a study: bindings that mean something, and rows that stay what they are called."""

import pytest

from benchmarks import ablations, studies
from official_cvrl import errors
from official_cvrl.sweep import bindings


def _planned(rows, *params):
    study = studies.Study(
        data_dir="", output="", pretrain_steps=3, pretrain_params=params, num_seeds=2
    )
    return study.planned(rows)


def test_train_py_would_take_every_row():
    bindings.refuse(_planned(ablations.ROWS))


def test_a_misspelt_macro_of_a_row_is_refused():
    with pytest.raises(errors.UserError, match="TRAIN_STEPS"):
        bindings.refuse(_planned([studies.Row("short", params=("TRAIN_STEP = 1",))]))


def test_every_run_has_a_folder_of_its_own_and_each_seed_comes_whole():
    planned = _planned(ablations.ROWS)
    folders = [stage.folder for cell in planned for stage in cell.stages]
    assert len(set(folders)) == len(folders)
    assert [cell.row for cell in planned] == [row.name for row in ablations.ROWS] * 2


def test_what_makes_a_row_comes_after_what_all_pre_training_has():
    row = studies.Row("wide", ("pretrain.gin", "linear_eval.gin"), params=("NUM_FRAMES = 9",))
    *_, cell = _planned([row], "NUM_FRAMES = 3")
    assert [(stage.folder, stage.params) for stage in cell.stages] == [
        ("wide_1_pretrain", ["SEED = 1", "TRAIN_STEPS = 3", "NUM_FRAMES = 3", "NUM_FRAMES = 9"]),
        ("wide_1_linear_eval", ["SEED = 1"]),
    ]


def test_every_batch_size_sees_as_many_videos():
    videos = {
        cell.row: _bound("GLOBAL_BATCH_SIZE", cell, 32) * _bound("TRAIN_STEPS", cell)
        for cell in _planned(ablations.ROWS)
        if cell.stages[0].gin_file == "pretrain.gin"
    }
    assert "batches of 16" in videos
    assert set(videos.values()) == {3 * 32}


def _bound(name, cell, default=None):
    values = dict(param.split(" = ") for param in cell.stages[0].params)
    return int(values.get(name, default))
