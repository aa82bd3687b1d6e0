# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Five training steps are the same five on any strategy; each runs in processes of its own."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from tests import imports


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
    cluster = {"worker": [f"127.0.0.1:{port}" for port in _free_ports(2)]}
    outputs = [folder / f"worker_{index}.npz" for index in range(2)]
    started = []
    for index, output in enumerate(outputs):
        place = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        environment = {"TF_CONFIG": json.dumps(place)}
        started.append(_start(output, environment, strategy="multi_worker_mirrored", **settings))
    return [_result(*pair) for pair in zip(started, outputs, strict=True)]


def _free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in sockets]
    for server in sockets:
        server.close()
    return ports


def _assert_same(found, expected, tolerance):
    assert len(found) == len(expected)
    assert expected["step_0_loss"] != expected["step_4_loss"]
    for (name, value), wanted in zip(found.items(), expected.values(), strict=True):
        deviation = np.linalg.norm(value - wanted)
        assert deviation <= tolerance * max(np.linalg.norm(wanted), 1e-3), (name, deviation)


@pytest.fixture(scope="module", name="one_device")
def _one_device(tmp_path_factory):
    return _update(tmp_path_factory.mktemp("one"), task="pretrain", strategy="one_device")


@pytest.mark.parametrize("replicas", [2, 4])
def test_mirrored(tmp_path, one_device, replicas):
    found = _update(tmp_path, task="pretrain", strategy="mirrored", replicas=replicas)
    _assert_same(found, one_device, 1e-9)


def test_two_workers(tmp_path, one_device):
    for found in _updates_of_two_workers(tmp_path, task="pretrain"):
        _assert_same(found, one_device, 1e-9)


def test_compiled_as_for_tpus(tmp_path, one_device):
    found = _update(tmp_path, task="pretrain", strategy="one_device", xla=True)
    # Colours are float32 in any precision and XLA rounds their last bit otherwise; five updates at
    # a large learning rate make more of it.
    _assert_same(found, one_device, 1e-2)
    losses = [f"step_{step}_loss" for step in range(5)]
    _assert_same({k: found[k] for k in losses}, {k: one_device[k] for k in losses}, 1e-5)


def test_two_workers_in_chunks(tmp_path):
    mirrored = _update(tmp_path, task="pretrain_in_chunks", strategy="mirrored", replicas=2)
    for found in _updates_of_two_workers(tmp_path, task="pretrain_in_chunks"):
        _assert_same(found, mirrored, 1e-9)


def test_classification(tmp_path):
    one = _update(tmp_path, task="classify", strategy="one_device")
    _assert_same(_update(tmp_path, task="classify", strategy="mirrored", replicas=2), one, 1e-9)
