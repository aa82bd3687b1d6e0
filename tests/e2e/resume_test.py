# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A run that goes on from what a kill or a signal leaves is the run that was never stopped."""

import contextlib
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
import tensorflow as tf

from official_cvrl.data import actors
from tests.e2e import conftest
from tfrecords_tools import convert

# Checkpoints come every third step, so the signal has many of them to arrive before the end.
_STEPS = 60


@pytest.fixture(scope="module", name="actors")
def _actors(tmp_path_factory):
    videos, output = (tmp_path_factory.mktemp(name) for name in ("films", "records"))
    actors.write_films(str(videos), counts={"train": 8, "test": 1})
    table = str(videos / actors.TABLE)
    convert.convert(dataset="boxes", videos=str(videos), annotations=table, output=str(output))
    return output


def _command(gin_file, run, records):
    params = (
        f"TRAIN_STEPS = {_STEPS}",
        # Else sums differ in their last bits from run to run, and the more so the longer it is.
        "runtime.Runtime.deterministic = True",
    )
    return conftest.train_command(
        gin_file, model_dir=run, data_dir=records, params=params, mode="train"
    )


def _weights(run):
    """Everything that the last checkpoint holds, momentum and step among it."""
    reader = tf.train.load_checkpoint(f"{run}/ckpt-{_STEPS}")
    names = set(reader.get_variable_to_shape_map())
    # How often a run was saved is not what it learned.
    names -= {"_CHECKPOINTABLE_OBJECT_GRAPH", "save_counter/.ATTRIBUTES/VARIABLE_VALUE"}
    return {name: reader.get_tensor(name).tolist() for name in names}


def _losses(run):
    found = {}
    for path in sorted(glob.glob(f"{run}/train/events*"), key=os.path.getmtime):
        for event in tf.compat.v1.train.summary_iterator(path):
            for value in event.summary.value:
                if value.tag == "loss":
                    found[event.step] = float(tf.make_ndarray(value.tensor))
    return found


@contextlib.contextmanager
def _started(command):
    """A process that does not outlive the block."""
    with subprocess.Popen(
        [sys.executable, *command],
        cwd=conftest.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _left_by_a_kill(process, run, folder):
    """Copies what is there at one moment after the first checkpoint, whose step it returns."""
    step = conftest.wait_for_checkpoint(run, [process])
    process.send_signal(signal.SIGSTOP)
    try:
        _wait_until_stopped(process)
        shutil.copytree(run, folder)
    finally:
        process.send_signal(signal.SIGCONT)
    return step


def _wait_until_stopped(process):
    """Waits for each of its threads: one may still write while another is stopped."""
    deadline = time.monotonic() + 10
    while not all(state == "T" for state in _states(process)):
        assert time.monotonic() < deadline, "it does not stop"
        time.sleep(0.005)


def _states(process):
    for path in glob.glob(f"/proc/{process.pid}/task/*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(path) as file:
            yield file.read().rpartition(")")[2].split()[0]


def _finish(process):
    """Waits for a run's end; returns what it printed."""
    printed, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return printed


def _terminate(command, run, *, after):
    """Starts a run and sends it a signal after a checkpoint of a later step, which it returns."""
    with _started(command) as process:
        step = conftest.wait_for_checkpoint(run, [process], after=after)
        process.terminate()
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "saved at step" in errors
    assert "The same command goes on" in errors
    return step


@pytest.mark.parametrize(
    ("gin_file", "data", "is_terminated"),
    [("pretrain.gin", "records", True), ("detect.gin", "actors", False)],
)
def test_a_run_that_is_stopped_is_the_run_that_was_not(
    tmp_path, request, gin_file, data, is_terminated
):
    records = request.getfixturevalue(data)
    whole, run = tmp_path / "whole", tmp_path / "killed"
    with _started(_command(gin_file, whole, records)) as uninterrupted:
        step = _left_by_a_kill(uninterrupted, whole, run)
        command = _command(gin_file, run, records)
        if is_terminated:
            step = _terminate(command, run, after=step)
        with _started(command) as resumed:
            printed = _finish(resumed)
        (begun,) = re.findall(r"Goes on from step (\d+)", printed)
        assert step <= int(begun) < _STEPS
        _finish(uninterrupted)
    losses, joined = _losses(whole), _losses(run)
    assert sorted(joined) == sorted(losses) == list(range(1, _STEPS + 1))
    assert joined == losses
    assert _weights(run) == _weights(whole)
