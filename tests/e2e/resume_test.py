# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A run that is killed and started again is the run that was never killed."""

import glob
import os
import re
import signal
import subprocess
import sys

import pytest
import tensorflow as tf

from tests.e2e import conftest

# Checkpoints come every third step, so the signal has many of them to arrive before the end.
_STEPS = 60


def _command(run, records):
    params = (
        f"TRAIN_STEPS = {_STEPS}",
        # Else sums differ in their last bits from run to run, and the more so the longer it is.
        "runtime.Runtime.deterministic = True",
    )
    return conftest.train_command(
        "pretrain.gin", model_dir=run, data_dir=records, params=params, mode="train"
    )


@pytest.fixture(scope="module", name="uninterrupted")
def _uninterrupted(tmp_path_factory, records):
    run = tmp_path_factory.mktemp("runs") / "uninterrupted"
    done = conftest.python(*_command(run, records))
    assert done.returncode == 0, done.stderr
    return _losses(run), _weights(run)


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


def _stop(command, run, number, *, after):
    """Starts a run and sends it a signal after a checkpoint of a later step."""
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=conftest.ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    step = conftest.wait_for_checkpoint(run, [process], after=after)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors, step


def test_a_run_that_is_killed_and_interrupted_is_the_run_that_was_not(
    tmp_path, uninterrupted, records
):
    run = tmp_path / "killed"
    command = _command(run, records)
    code, _, step = _stop(command, run, signal.SIGKILL, after=0)
    assert code == -signal.SIGKILL
    code, errors, later = _stop(command, run, signal.SIGTERM, after=step)
    assert code == 143
    assert "saved at step" in errors
    assert "The same command goes on" in errors
    again = conftest.python(*command)
    assert again.returncode == 0, again.stderr
    (begun,) = re.findall(r"Goes on from step (\d+)", again.stdout)
    assert later <= int(begun) < _STEPS
    losses, weights = uninterrupted
    joined = _losses(run)
    assert sorted(joined) == sorted(losses) == list(range(1, _STEPS + 1))
    assert joined == losses
    assert _weights(run) == weights
