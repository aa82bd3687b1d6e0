# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Two worker processes train one model; one is killed, both are started again."""

import os
import re
import signal
import subprocess
import sys
import time

from tests import cluster
from tests.e2e import conftest

_PARAMS = ("TRAIN_STEPS = 60", "runtime.Runtime.strategy = 'multi_worker_mirrored'")


def _start(run, records):
    command = conftest.train_command(
        "pretrain.gin", model_dir=run, data_dir=records, params=_PARAMS
    )
    return [
        subprocess.Popen(
            [sys.executable, *command],
            cwd=conftest.ROOT,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for environment in cluster.environments(2)
    ]


def _wait_for_checkpoint(run, workers, after=0):
    """Waits for one of a later step; returns the newest step."""
    deadline = time.monotonic() + 200
    while True:
        steps = [int(path.stem[len("ckpt-") :]) for path in run.glob("ckpt-*.index")]
        if (run / "checkpoint").exists() and max(steps, default=0) > after:
            return max(steps)
        for worker in workers:
            assert worker.poll() is None, worker.stderr.read()
        assert time.monotonic() < deadline, "no checkpoint appeared"
        time.sleep(0.02)


def _ended(worker, seconds):
    output, errors = worker.communicate(timeout=seconds)
    assert "Traceback" not in errors
    return worker.returncode, output, errors


def _kill_one(workers, victim):
    """The other one says so within a minute, and ends as what is worth another try."""
    workers[victim].kill()
    code, _, errors = _ended(workers[1 - victim], 60)
    assert code == 75, errors
    assert "another worker of this run is gone" in errors


def test_the_chief_is_killed_and_both_start_again(tmp_path, records):
    run = tmp_path / "run"
    workers = _start(run, records)
    step = _wait_for_checkpoint(run, workers)
    _kill_one(workers, 0)
    for code, output, errors in [_ended(worker, 200) for worker in _start(run, records)]:
        assert code == 0, errors
        assert int(re.search(r"Goes on from step (\d+)", output).group(1)) >= step
        assert "knn_top1" in output
    written = {path.name for path in run.iterdir()}
    assert {"ckpt-60.index", "run.json", "config.gin", "results.json", "train", "eval"} <= written


def test_a_signal_to_one_stops_both_at_one_step(tmp_path, records):
    run = tmp_path / "run"
    workers = _start(run, records)
    step = _wait_for_checkpoint(run, workers)
    _kill_one(workers, 1)
    workers = _start(run, records)
    _wait_for_checkpoint(run, workers, after=step + 3)
    workers[1].send_signal(signal.SIGTERM)
    ended = [_ended(worker, 100) for worker in workers]
    assert [code for code, _, _ in ended] == [143, 143], ended
    steps = {re.search(r"saved at step (\d+)", errors).group(1) for _, _, errors in ended}
    assert len(steps) == 1
    assert (run / f"ckpt-{steps.pop()}.index").exists()
