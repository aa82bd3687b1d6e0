# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Mistakes with the command of official_cvrl.data_service; tests/data/service_test.py runs it."""

import re
import signal
import socket

import pytest

from official_cvrl import data_service


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--role=worker"], "--dispatcher=grpc://HOST:PORT goes with --role=worker"),
        (["--role=local", "--dispatcher=grpc://a:1"], "--dispatcher=.* goes with"),
        (["--role=local", "--workers=0"], "--workers=N, at least 1"),
        (["--role=dispatcher", "--workers=2"], "--workers=N, .* goes with --role=local"),
        (["--role=worker", "--dispatcher=a:1"], "'a:1': an address has the form"),
        (["--role=worker", "--dispatcher=grpc://localhost:1"], "no dispatcher .* answers there"),
    ],
)
def test_mistakes_are_named(arguments, words, capsys, monkeypatch):
    monkeypatch.setattr("signal.signal", lambda *_: None)  # pytest keeps its own handlers.
    assert data_service.main(arguments) == 2
    assert re.search(words, capsys.readouterr().err)


def test_a_port_that_is_taken_is_refused(capsys, monkeypatch):
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        assert data_service.main(["--role=dispatcher", f"--port={port}"]) == 2
    assert f"--port={port} cannot be used" in capsys.readouterr().err


def test_workers_that_end_are_told_of_and_the_last_ends_all(capfd, monkeypatch):
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("sys.executable", "/bin/false")
    assert data_service.main(["--role=local", "--workers=2"]) == 75
    told = capfd.readouterr().err
    assert re.findall(r"\(exit code 1\), (\d) are left", told) == ["1", "0"]
    assert "error: no worker of the data service is left" in told


@pytest.mark.parametrize(
    ("number", "code", "said"), [(signal.SIGINT, 130, "Stopped.\n"), (signal.SIGTERM, 143, "")]
)
def test_signals_end_it_with_the_code_that_schedulers_know(number, code, said, capsys, monkeypatch):
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # As in the background of a shell.
    # No server is needed to wait, and to be told to stop.
    monkeypatch.setattr(data_service, "_start", lambda *_, **__: "localhost:1")
    monkeypatch.setattr("signal.pause", lambda: signal.raise_signal(number))
    try:
        with pytest.raises(SystemExit) as ended:
            raise SystemExit(data_service.main(["--role=dispatcher"]))
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    assert (ended.value.code, capsys.readouterr().err) == (code, said)
