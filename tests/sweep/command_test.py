# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The command with a stand-in for train.py: which runs, what is passed over, how it ends."""

import ast
import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import threading
import time

import pytest
from absl import flags

from official_cvrl import errors, manifest, run_info
from official_cvrl.sweep import __main__ as sweep
from official_cvrl.sweep import bindings, cells

_TRAIN = str(pathlib.Path(__file__).with_name("stand_in.py"))


def _command(output, *arguments):
    given = flags.FlagValues()
    sweep.define_flags(given)
    given(["sweep", "--gin_file=pre.gin", f"--output={output}", *arguments])
    return sweep.run(given, train=_TRAIN, refuse=lambda planned: None)


def _calls(output):
    return (output / "calls.txt").read_text().splitlines()


def test_each_stage_once_and_the_second_begins_with_the_first(tmp_path, capsys):
    arguments = (
        *("--then=dir/lin.gin", "--first_param=P = 1", "--then_param=Q = 2"),
        *("--grid=SEED = [0, 1]", "--first_grid=a.X = [3]", "--then_grid=LR = [0.1, 0.2]"),
        "--gin_param=X = 4",
    )
    assert _command(tmp_path / "out", *arguments) == 0
    out = tmp_path / "out"
    calls = _calls(out)
    assert calls[:3] == [
        "SEED=0_X=3_pre pre.gin X = 4; P = 1; SEED = 0; a.X = 3",
        "SEED=0_X=3_LR=0.1_lin dir/lin.gin X = 4; Q = 2; SEED = 0; LR = 0.1; "
        f"run.pretrained = '{out}/SEED=0_X=3_pre'",
        "SEED=0_X=3_LR=0.2_lin dir/lin.gin X = 4; Q = 2; SEED = 0; LR = 0.2; "
        f"run.pretrained = '{out}/SEED=0_X=3_pre'",
    ]
    assert len(calls) == 6
    said = capsys.readouterr().out
    assert "[2/4] SEED = 0, X = 3, LR = 0.2: top1 0.4 (0:0" in said
    row = "| X = 3, LR = 0.1 | 40.0% ± 0.0% |"
    assert row in said
    assert row in (out / "results.md").read_text()
    assert (out / "results.svg").read_text().startswith("<svg")
    assert json.loads((out / "results.json").read_text())["X = 3, LR = 0.1"] == [{"top1": 0.4}] * 2


def test_what_is_finished_is_passed_over_and_a_grid_may_grow(tmp_path, capsys):
    assert _command(tmp_path, "--grid=X = [1, 2]") == 0
    assert _command(tmp_path, "--grid=X = [1, 2, 3]") == 0
    assert [call.split()[0] for call in _calls(tmp_path)] == ["X=1_pre", "X=2_pre", "X=3_pre"]
    assert "[1/3] X = 1: top1 0.1 (there already)" in capsys.readouterr().out


def test_a_failed_cell_is_told_and_the_others_go_on(tmp_path, capsys):
    assert _command(tmp_path, "--grid=X = [1, -2, 3]") == 1
    said = capsys.readouterr().out
    assert "[2/3] X = -2: FAILED, exit code 1; " in said
    assert "error: it is negative" in said
    assert "| X = -2 | – |" in said
    assert "1 of 3 cells failed" in said
    assert len(_calls(tmp_path)) == 3


@contextlib.contextmanager
def _meanwhile(output, function):
    """Calls a function as soon as the cell in a folder waits, and raises what it raised."""
    raised = []

    def act():
        try:
            _wait_for(output / "waits")
            function()
        except BaseException as error:
            raised.append(error)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=act)
    thread.start()
    yield
    thread.join()
    if raised:
        raise raised[0]


def _wait_for(path):
    while not path.exists():
        time.sleep(0.01)


def test_a_signal_stops_the_run_first(tmp_path, capsys):
    def look():
        # The run keeps the lock if the sweep is killed.
        child = (tmp_path / "sweep.lock").read_text()
        files = {os.path.realpath(f"/proc/{child}/fd/{n}") for n in os.listdir(f"/proc/{child}/fd")}
        assert str(tmp_path / "sweep.lock") in files
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        with pytest.raises(errors.UserError, match=f"in use by .* process {child}"):
            cells.Sweep(str(tmp_path)).run([])

    before = signal.getsignal(signal.SIGTERM), signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with _meanwhile(tmp_path / "X=99_pre", look):
            assert _command(tmp_path, "--grid=X = [99, 1]") == 130
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before[1])
    assert (tmp_path / "X=99_pre" / "stopped").read_text() == str(int(signal.SIGTERM))
    assert signal.getsignal(signal.SIGTERM) is before[0]
    assert "the same command goes on" in capsys.readouterr().err
    assert len(_calls(tmp_path)) == 1


def test_a_second_signal_ends_a_run_that_does_not_stop(tmp_path):
    def interrupt():
        os.kill(os.getpid(), signal.SIGINT)
        _wait_for(tmp_path / "X=98_pre" / "stopped")

    with _meanwhile(tmp_path / "X=98_pre", interrupt):
        assert _command(tmp_path, "--grid=X = [98]") == 130
    assert not (tmp_path / "X=98_pre" / "results.json").exists()


def test_results_of_other_settings_are_not_taken(tmp_path, capsys):
    assert _command(tmp_path, "--gin_param=X = 5", "--grid=a.Y = [1]") == 0
    assert _command(tmp_path, "--gin_param=X = 5", "--grid=b.Y = [1]") == 2
    said = capsys.readouterr().err
    assert "Y=1_pre holds, or is to hold, a run with params ['X = 5', 'a.Y = 1'], not " in said
    assert "remove that folder" in said
    shutil.rmtree(tmp_path / "Y=1_pre")
    assert _command(tmp_path, "--gin_param=X = 5", "--grid=Y = [1]") == 0
    assert len(_calls(tmp_path)) == 2
    # As runs were left before there was such a file.
    (tmp_path / "Y=1_pre.json").unlink()
    assert _command(tmp_path, "--gin_param=X = 5", "--grid=a.Y = [1]") == 0
    assert len(_calls(tmp_path)) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"params": ("X = 2",)}, "params \\['X = 1'\\], not \\['X = 2'\\]"),
        ({"gin_file": "c.gin"}, "gin_file a.gin, not c.gin"),
    ],
)
def test_two_cells_may_not_share_a_folder_with_unlike_settings(tmp_path, change, words):
    stage = cells.Stage("a.gin", "one", ("X = 1",))
    planned = [cells.Cell("r", "l", [s]) for s in (stage, dataclasses.replace(stage, **change))]
    with pytest.raises(errors.UserError, match=words):
        cells.Sweep(str(tmp_path), train=_TRAIN).run(planned)
    assert not (tmp_path / "calls.txt").exists()


def test_other_data_and_another_start_are_refused(tmp_path):
    one, two = (cells.Stage(f"{name}.gin", name, ("X = 1",)) for name in ("one", "two"))
    sweep = cells.Sweep(str(tmp_path), data_dir="a", train=_TRAIN)
    sweep.run([cells.Cell("r", "l", [one, two])])
    with pytest.raises(errors.UserError, match="with data_dir .*a, not .*b"):
        dataclasses.replace(sweep, data_dir="b").run([cells.Cell("r", "l", [one, two])])
    with pytest.raises(errors.UserError, match="two holds.* start one, not "):
        sweep.run([cells.Cell("r", "l", [two])])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--gin_file="], "give --gin_file=NAME.gin"),
        (["--output="], "--output=DIR and a grid"),
        (["--output=gs://a/b"], "must be a local folder"),
        (["--then_grid=X = [1]"], "for the gin file of --then"),
        (["--then=there/pre.gin"], "must be of two names"),
        (["--grid=X = [1]", "--first_grid=X = [2]"], "X is in two grids"),
        (["--grid=X"], "is no axis"),
        (["--grid=X = [1]", "--gin_param=Y = 2"], "holds a sweep with --gin_param="),
        (["--output={file}/x"], "cannot be made"),
        (["--output={run}"], "is a run's folder"),
    ],
)
def test_mistakes_are_told_before_any_run(tmp_path, capsys, arguments, words):
    out, file = tmp_path / "out", tmp_path / "file"
    assert _command(out, "--grid=X = [1]") == 0
    file.write_text("")
    run_info.write(str(tmp_path), run_info.RunInfo("", {}, None))
    places = {"file": file, "run": tmp_path}
    assert _command(out, *(argument.format(**places) for argument in arguments)) == 2
    assert words in capsys.readouterr().err
    assert len(_calls(out)) == 1


def test_the_picture_knows_chance_by_the_labels_of_the_data(tmp_path):
    def begun(name, data_dir, *labels):
        (tmp_path / name).mkdir()
        run_info.write(str(tmp_path / name), run_info.RunInfo(str(tmp_path / data_dir), {}, None))
        (tmp_path / data_dir).mkdir(exist_ok=True)
        manifest.write_labels(tmp_path / data_dir, labels)

    cell = {name: cells.Cell("r", "l", [cells.Stage("a.gin", name)]) for name in "abc"}
    sweep = cells.Sweep(str(tmp_path))
    assert sweep.num_classes([*cell.values()]) == 0
    begun("a", "two", "x", "y")
    assert sweep.num_classes([*cell.values()]) == 2
    begun("b", "three", "x", "y", "z")
    assert sweep.num_classes([*cell.values()]) == 0
    assert sweep.num_classes([cell["b"]]) == 3


@pytest.mark.parametrize("broken", ["X=1_pre/run.json", "data/labels.txt"])
def test_a_table_is_written_though_nobody_knows_chance(tmp_path, broken):
    run = tmp_path / "X=1_pre"
    for folder in (run, tmp_path / "data"):
        folder.mkdir()
    run_info.write(str(run), run_info.RunInfo(str(tmp_path / "data"), {}, None))
    (tmp_path / broken).write_bytes(b"\xff")
    assert _command(tmp_path, "--grid=X = [1]") == 0
    assert "| X = 1 | 10.0%" in (tmp_path / "results.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--gin_file=pretrian.gin"], ["pretrian.gin", "pretrain.gin"]),
        (["--grid=SEDE = [0, 1]"], ["SEDE", "Did you mean 'SEED'"]),
        (["--first_grid=loop.train_stps = [1]"], ["pretrain.gin, as", "loop"]),
        (["--then_grid=TRAIN_STEP = [1]"], ["linear_eval.gin, as", "'TRAIN_STEPS'"]),
        (["--grid=Loop.train_stps = [1]"], ["train_stps", "'train_steps'"]),
    ],
)
def test_a_name_that_stands_for_nothing_is_refused_before_the_first_cell(
    tmp_path, capsys, arguments, words
):
    given = flags.FlagValues()
    sweep.define_flags(given)
    pair = ("--gin_file=pretrain.gin", "--then=linear_eval.gin", f"--output={tmp_path}/out")
    given(["sweep", *pair, *arguments])
    assert sweep.run(given, train=_TRAIN) == 2
    said = capsys.readouterr().err
    assert all(word in said for word in words), said
    assert not (tmp_path / "out").exists()


def test_what_train_py_hands_over_is_known():
    tree = ast.parse(pathlib.Path(cells.TRAIN).read_text(encoding="utf-8"))
    (call,) = (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "gin_utils.configured(experiment.run)"
    )
    assert sorted(keyword.arg for keyword in call.keywords) == sorted(bindings.GIVEN)


def test_names_that_train_py_takes_are_not_refused():
    pair = [cells.Stage("pretrain.gin", "a", ["SEED = 1"]), cells.Stage("linear_eval.gin", "b")]
    bindings.refuse([cells.Cell("r", "l", pair)])
