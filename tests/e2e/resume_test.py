# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A run that is killed and started again is the run that was never killed."""

import glob
import os
import re
import signal
import subprocess
import sys
import time

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


def _stop_after_first_checkpoint(command, run, number):
    """Starts a run, sends it a signal after its first checkpoint, returns its exit code."""
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=conftest.ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 200
    # Written last: without it a checkpoint is not there yet.
    while not os.path.exists(f"{run}/checkpoint"):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline, "no checkpoint appeared"
        time.sleep(0.02)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_loss_curve_joins_and_the_weights_are_the_same(
    tmp_path, uninterrupted, records, number
):
    run = tmp_path / "killed"
    command = _command(run, records)
    code, errors = _stop_after_first_checkpoint(command, run, number)
    if number == signal.SIGTERM:
        assert code == 143
        assert "saved at step" in errors
        assert "The same command goes on" in errors
    else:
        assert code == -signal.SIGKILL
    again = conftest.python(*command)
    assert again.returncode == 0, again.stderr
    (step,) = re.findall(r"Goes on from step (\d+)", again.stdout)
    assert 3 <= int(step) < _STEPS
    losses, weights = uninterrupted
    joined = _losses(run)
    assert sorted(joined) == sorted(losses) == list(range(1, _STEPS + 1))
    assert joined == losses
    assert _weights(run) == weights
