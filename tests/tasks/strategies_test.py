# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Five training steps are the same five on any strategy; each runs in processes of its own."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests import cluster, imports


def _start(output, environment, **settings):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.tasks.updates", json.dumps(settings), str(output)],
        cwd=imports.ROOT,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _result(process, output):
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    with np.load(output) as values:
        return dict(values)


def _update(folder, **settings):
    """Loss and measures of each step; weights, moving statistics and momentum after the last."""
    output = folder / "update.npz"
    return _result(_start(output, {}, **settings), output)


def _updates_of_two_workers(folder, **settings):
    started = []
    for index, environment in enumerate(cluster.environments(2)):
        output = folder / f"worker_{index}.npz"
        process = _start(output, environment, strategy="multi_worker_mirrored", **settings)
        started.append((process, output))
    return [_result(*pair) for pair in started]


def _assert_same(found, expected, tolerance):
    assert len(found) == len(expected)
    assert expected["step_0_loss"] != expected["step_1_loss"]
    for (name, value), wanted in zip(found.items(), expected.values(), strict=True):
        deviation = np.linalg.norm(value - wanted)
        bound = tolerance if value.dtype == np.float64 else max(tolerance, 1e-6)
        assert deviation <= bound * max(np.linalg.norm(wanted), 1e-3), (name, deviation)


@pytest.fixture(scope="module", name="one_device")
def _one_device(tmp_path_factory):
    return _update(tmp_path_factory.mktemp("one"), strategy="one_device")


# Two replicas: tests/tasks/pretrain_test.py, in its own process.
def test_four_replicas(tmp_path, one_device):
    found = _update(tmp_path, strategy="mirrored", replicas=4)
    _assert_same(found, one_device, 1e-9)


def test_two_workers(tmp_path, one_device):
    for found in _updates_of_two_workers(tmp_path, predictions=True):
        _assert_same(found, one_device, 1e-9)
    # Of key frames on both of them the chief alone writes what was said.
    assert [path.name for path in tmp_path.glob("*.csv*")] == ["worker_0.npz.csv"]
    rows = (tmp_path / "worker_0.npz.csv").read_text().splitlines()
    assert [row[:6] for row in rows] == ["a,0001"] * 2 + ["b,0002"] * 2


def test_compiled_as_for_tpus(tmp_path, one_device):
    found = _update(tmp_path, strategy="one_device", xla=True)
    _assert_same(found, one_device, 1e-9)


def test_two_workers_in_chunks(tmp_path):
    # A chunk is two rows of each worker: four on one device, where they stand next to each other.
    rows = [0, 1, 4, 5, 2, 3, 6, 7]
    expected = _update(tmp_path, strategy="one_device", steps=2, chunk_size=4, rows=rows)
    for found in _updates_of_two_workers(tmp_path, steps=2, chunk_size=2):
        _assert_same(found, expected, 1e-9)
