# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The mean over splits, and what are no splits of one data set."""

import dataclasses

import pytest
import tensorflow as tf

from official_cvrl import average_splits, errors, run_info
from official_cvrl.data import clip_format


def _run(folder, split, *, classes=("a", "b"), kind=None, **results):
    run = folder / f"run{split}"
    run.mkdir()
    data_dir = f"/records/SPLIT{split}"
    told = {"backbone": {}, "clip": None, "label_names": classes} | (kind or {})
    info = run_info.RunInfo(data_dir=data_dir, **told)
    run_info.write(str(run), info)
    if results:
        run_info.write_results(str(run), results, step=20)
    return str(run)


def test_splits_and_their_mean_a_line_each(tmp_path, capsys):
    runs = [_run(tmp_path, n, top1=top1, top5=1.0) for n, top1 in ((1, 0.92), (2, 0.9), (3, 0.85))]
    assert average_splits.main(["", *runs]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "            top1      top5",
        "SPLIT1     92.0%    100.0%",
        "SPLIT2     90.0%    100.0%",
        "SPLIT3     85.0%    100.0%",
        "mean       89.0%    100.0%",
    ]


def test_only_what_all_runs_measured_is_averaged(tmp_path):
    runs = [_run(tmp_path, 1, top1=0.5, knn_top1=0.25), _run(tmp_path, 2, top1=0.75)]
    assert average_splits.table(runs)["mean"] == {"top1": 0.625}


_CLIP = clip_format.ClipFormat(num_frames=32, temporal_stride=2, min_resize=256, crop_size=256)


@pytest.mark.parametrize(
    ("one", "other", "fault"),
    [
        ({"frozen": True}, {"frozen": False}, "frozen is False, not True"),
        (
            {"backbone": {"depth": 50}},
            {"backbone": {"depth": 101}},
            "backbone.depth is 101, not 50",
        ),
        (
            {"classifier": {"normalize_embedding": True}},
            {"classifier": {"normalize_embedding": False}},
            "classifier.normalize_embedding is False",
        ),
        ({"clip": _CLIP}, {"clip": dataclasses.replace(_CLIP, num_frames=16)}, "clip.num_frames"),
    ],
)
def test_runs_of_two_kinds_are_refused(tmp_path, one, other, fault):
    runs = [_run(tmp_path, n, kind=kind, top1=0.5) for n, kind in enumerate((one, one, other))]
    assert average_splits.table(runs[:2])["mean"] == {"top1": 0.5}
    with pytest.raises(errors.UserError, match=f"run2 is a run of .* than {runs[0]}: {fault}"):
        average_splits.table(runs)


def test_what_makes_no_kind_or_is_not_told_may_differ(tmp_path):
    kinds = [
        {"backbone": {"name": name, "dtype": dtype}, "frozen": frozen}
        for name, dtype, frozen in (("a", "float32", None), ("b", "mixed_bfloat16", True))
    ]
    runs = [_run(tmp_path, n, kind=kind, top1=0.5) for n, kind in enumerate(kinds)]
    assert average_splits.table(runs)["mean"] == {"top1": 0.5}


def test_a_run_trained_further_since_its_evaluation_is_not_finished(tmp_path):
    runs = [_run(tmp_path, n, top1=0.5) for n in (1, 2)]
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(), runs[1], 1)
    manager.save(checkpoint_number=20)
    assert average_splits.table(runs)["mean"] == {"top1": 0.5}
    manager.save(checkpoint_number=30)
    with pytest.raises(errors.UserError, match=f"{runs[1]} was evaluated at step 20, and"):
        average_splits.table(runs)


def test_what_is_no_row_is_refused_by_name(tmp_path):
    run, unfinished = _run(tmp_path, 1, top1=0.5), _run(tmp_path, 2)
    other = _run(tmp_path, 3, classes=("a", "c"), top1=0.5)
    for given, fault in (
        ([run], f"{run} was given where the folders of several"),
        ([run, unfinished], f"{unfinished} holds no evaluated run"),
        ([run, str(tmp_path)], f"{tmp_path} holds no evaluated run"),
        ([run, run], f"{run} is on /records/SPLIT1, as another"),
        ([run, other], f"{other} knows other classes than {run}"),
    ):
        with pytest.raises(errors.UserError, match=fault):
            average_splits.table(given)
