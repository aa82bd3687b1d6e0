# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of official_cvrl.cluster: TF_CONFIG read, the other processes waited for."""

import concurrent.futures
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading

import pytest

from official_cvrl import cluster, errors
from tests import cluster as new_cluster

_WAIT = """
from official_cvrl import cluster
cluster._SECONDS_BEFORE_A_WORD = 0
cluster.wait_for_others(cluster.from_environment(), minutes=1)
"""


def _read(monkeypatch, config):
    text = config if isinstance(config, str) else json.dumps(config)
    monkeypatch.setenv("TF_CONFIG", text)
    return cluster.from_environment()


def _of(number, *, monkeypatch):
    return [
        _read(monkeypatch, environment["TF_CONFIG"])
        for environment in new_cluster.environments(number)
    ]


def test_names_of_chief_and_workers(monkeypatch):
    jobs = {"chief": ["a:1"], "worker": ["b:2", "[::1]:3"], "evaluator": ["c:4"]}
    found = _read(monkeypatch, {"cluster": jobs, "task": {"type": "worker", "index": 1}})
    assert found.own_name == "worker 1"
    assert found.others == {"chief 0": "a:1", "worker 0": "b:2"}


@pytest.mark.parametrize("config", ["", "{}", {"task": {"type": "worker", "index": 0}}])
def test_no_cluster(monkeypatch, config):
    assert _read(monkeypatch, config) is None


def _config(workers, **task):
    return {"cluster": {"worker": workers}, "task": {"type": "worker", "index": 0} | task}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("{'cluster': 1}", "not JSON.*column 2.*HOST:PORT"),
        ([], "it must be {…}, not \\[\\]"),
        ({"cluster": ["a:1"]}, 'cluster must be {…}, not \\["a:1"\\]'),
        (_config("a:1"), 'cluster.worker must be \\[…\\], not "a:1"'),
        (_config(["a"]), 'cluster.worker has "a" where HOST:PORT belongs'),
        (_config(["a:b"]), '"a:b"'),
        (_config(["a:70000"]), '"a:70000"'),
        (_config([1]), "cluster.worker has 1 "),
        (_config(["a:1", "b:2"], index=2), "this process is worker 2, .* has worker 0, worker 1"),
        (_config(["a:1"], type="ps"), "this process is ps 0"),
        ({"cluster": {"worker": ["a:1"]}}, "task must be {…}, not null"),
    ],
)
def test_mistakes_are_told_in_one_line(monkeypatch, config, words):
    with pytest.raises(errors.UserError, match=f"^TF_CONFIG: .*{words}.*distributed.md.*$"):
        _read(monkeypatch, config)


def test_workers_find_each_other(monkeypatch):
    workers = _of(3, monkeypatch=monkeypatch)
    all_started = threading.Barrier(len(workers), timeout=30)

    def start(one):
        cluster.wait_for_others(one, minutes=0.5)
        host, port = one.addresses[one.own_name].split(":")
        with socket.create_server((host, int(port))):  # As TensorFlow does.
            return all_started.wait()

    with concurrent.futures.ThreadPoolExecutor(len(workers)) as pool:
        assert sorted(pool.map(start, workers)) == [0, 1, 2]


def test_a_worker_that_does_not_come(monkeypatch):
    workers = _of(2, monkeypatch=monkeypatch)
    with pytest.raises(errors.TryAgain, match=f"worker 1 at {workers[0].others['worker 1']} did"):
        cluster.wait_for_others(workers[0], minutes=0.001)


def test_a_port_in_use(monkeypatch):
    workers = _of(2, monkeypatch=monkeypatch)
    host, port = workers[1].others["worker 0"].split(":")
    with (
        socket.create_server((host, int(port))),
        pytest.raises(errors.UserError, match=f"worker 0, .* cannot listen on port {port}: Addr"),
    ):
        cluster.wait_for_others(workers[0], minutes=1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_wait_is_told_and_can_be_stopped(number):
    environment, _ = new_cluster.environments(2)
    with subprocess.Popen(
        [sys.executable, "-c", _WAIT],
        env=os.environ | environment,
        cwd=pathlib.Path(__file__).parents[1],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        other = json.loads(environment["TF_CONFIG"])["cluster"]["worker"][1]
        assert process.stderr.readline() == f"waiting for worker 1 at {other} …\n"
        process.send_signal(number)
        assert process.wait(timeout=10) == -number
