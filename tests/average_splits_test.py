# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The mean over splits, and what are no splits of one data set."""

import pytest

from official_cvrl import average_splits, errors, run_info


def _run(folder, split, *, classes=("a", "b"), **results):
    run = folder / f"run{split}"
    run.mkdir()
    data_dir = f"/records/SPLIT{split}"
    info = run_info.RunInfo(data_dir=data_dir, backbone={}, clip=None, label_names=classes)
    run_info.write(str(run), info)
    if results:
        run_info.write_results(str(run), results)
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
