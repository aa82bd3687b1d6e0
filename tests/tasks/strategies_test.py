# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Five training steps are the same five on any strategy; each runs in processes of its own."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest

from tests import cluster, imports

# A chunk is two rows of each worker: four on one device, where they stand next to each other.
_IN_CHUNKS = {"steps": 2, "chunk_size": 4, "rows": [0, 1, 4, 5, 2, 3, 6, 7]}


def _updates(outputs, environments, cases, **settings):
    """Of each process by case: loss and measures of each step; at the end weights and momentum."""
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(_running(output, environment, cases, **settings))
            for output, environment in zip(outputs, environments, strict=True)
        ]
        deadline = time.monotonic() + 300
        while not all(pathlib.Path(f"{output}.done").exists() for output in outputs):
            for process in processes:
                assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
    return [{case: _values(f"{output}.{case}.npz") for case in cases} for output in outputs]


@contextlib.contextmanager
def _running(output, environment, cases, **settings):
    command = [sys.executable, "-m", "tests.tasks.updates"]
    with subprocess.Popen(
        [*command, json.dumps(settings | {"cases": cases}), str(output)],
        cwd=imports.ROOT,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _values(path):
    with np.load(path) as values:
        return dict(values)


def _assert_same(found, expected, tolerance):
    assert len(found) == len(expected)
    assert expected["step_0_loss"] != expected["step_1_loss"]
    for (name, value), wanted in zip(found.items(), expected.values(), strict=True):
        deviation = np.linalg.norm(value - wanted)
        bound = tolerance if value.dtype == np.float64 else max(tolerance, 1e-6)
        assert deviation <= bound * max(np.linalg.norm(wanted), 1e-3), (name, deviation)


@pytest.fixture(scope="module", name="one_device")
def _one_device(tmp_path_factory):
    output = tmp_path_factory.mktemp("one") / "update"
    cases = {"plain": {}, "compiled": {"xla": True}, "in_chunks": _IN_CHUNKS}
    (found,) = _updates([output], [{}], cases, strategy="one_device")
    return found


@pytest.fixture(scope="module", name="two_workers")
def _two_workers(tmp_path_factory):
    """The folder of what they wrote, and the results of each of them."""
    folder = tmp_path_factory.mktemp("two")
    outputs = [folder / f"worker_{index}" for index in range(2)]
    in_chunks = {"steps": 2, "chunk_size": 2, "recompute": True}
    cases = {"plain": {"predictions": True}, "in_chunks": in_chunks}
    environments = cluster.environments(2)
    return folder, _updates(outputs, environments, cases, strategy="multi_worker_mirrored")


# Two replicas: tests/tasks/pretrain_test.py, in its own process.
def test_four_replicas(tmp_path, one_device):
    settings = {"strategy": "mirrored", "replicas": 4}
    (found,) = _updates([tmp_path / "update"], [{}], {"plain": {}}, **settings)
    _assert_same(found["plain"], one_device["plain"], 1e-9)


def test_two_workers(two_workers, one_device):
    folder, results = two_workers
    for found in results:
        _assert_same(found["plain"], one_device["plain"], 1e-9)
    # Of key frames on both of them the chief alone writes what was said.
    assert [path.name for path in folder.glob("*.csv*")] == ["worker_0.plain.csv"]
    rows = (folder / "worker_0.plain.csv").read_text().splitlines()
    assert [row[:6] for row in rows] == ["a,0001"] * 2 + ["b,0002"] * 2


def test_two_workers_in_chunks(two_workers, one_device):
    _, results = two_workers
    for found in results:
        _assert_same(found["in_chunks"], one_device["in_chunks"], 1e-9)


def test_compiled_as_for_tpus(one_device):
    _assert_same(one_device["compiled"], one_device["plain"], 1e-9)
