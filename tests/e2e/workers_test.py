# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Two worker processes train one model; one is killed, both start again, one is told to stop."""

import os
import re
import shutil
import signal
import subprocess
import sys

from tests import cluster
from tests.e2e import conftest

_PARAMS = ("TRAIN_STEPS = 60",)


def _start(run, folders):
    """Starts two workers, each with its own folder of the same records."""

    def command(data_dir):
        return conftest.train_command(
            "pretrain.gin", model_dir=run, data_dir=data_dir, params=_PARAMS
        )

    return [
        subprocess.Popen(
            [sys.executable, *command(data_dir)],
            cwd=conftest.ROOT,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for environment, data_dir in zip(cluster.environments(2), folders, strict=True)
    ]


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


def test_workers_stop_and_start_together(tmp_path, records):
    run = tmp_path / "run"
    folders = [records, shutil.copytree(records, tmp_path / "copied")]
    workers = _start(run, folders)
    step = conftest.wait_for_checkpoint(run, workers)
    _kill_one(workers, 0)

    workers = _start(run, folders)
    conftest.wait_for_checkpoint(run, workers, after=step)
    workers[1].send_signal(signal.SIGTERM)
    ended = [_ended(worker, 100) for worker in workers]
    assert [code for code, _, _ in ended] == [143, 143], ended
    for _, output, _ in ended:
        assert int(re.search(r"Goes on from step (\d+)", output).group(1)) >= step
    steps = {re.search(r"saved at step (\d+)", errors).group(1) for _, _, errors in ended}
    assert len(steps) == 1
    written = {path.name for path in run.iterdir()}
    assert {f"ckpt-{steps.pop()}.index", "run.json", "config.gin", "train"} <= written
