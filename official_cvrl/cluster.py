# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The machines of a run: what TF_CONFIG says of them, and waiting until all of them are there."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

from official_cvrl import errors

_JOBS = ("chief", "worker")
_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_TO_ANSWER = 3.0
# Workers are hardly ever started within the same second: a short wait is not worth a word.
_SECONDS_BEFORE_A_WORD = 3.0
_SECONDS_BETWEEN_WORDS = 30.0
_EXAMPLE = '{"cluster": {"worker": ["HOST:PORT", …]}, "task": {"type": "worker", "index": 0}}'


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The processes of one run.

    Attributes:
        addresses: "host:port" of each by its name, such as "worker 0".
        own_name: which of them this process is.
    """

    addresses: Mapping[str, str]
    own_name: str

    @property
    def others(self) -> dict[str, str]:
        """The addresses of the other processes by name."""
        return {name: at for name, at in self.addresses.items() if name != self.own_name}


def from_environment() -> Cluster | None:
    """Returns what TF_CONFIG says of the processes that train; None where it names none.

    Raises:
        UserError: it cannot be understood; says what is wrong.
    """
    text = os.environ.get("TF_CONFIG", "")
    try:
        config = _part(json.loads(text), dict, "it") if text.strip() else {}
        jobs = _part(config.get("cluster", {}), dict, "cluster")
        addresses = {
            f"{job} {index}": _address(at, f"cluster.{job}")
            for job in _JOBS
            for index, at in enumerate(_part(jobs.get(job, []), list, f"cluster.{job}"))
        }
        return Cluster(addresses, _own_name(config, addresses)) if addresses else None
    except ValueError as error:
        said = f"this is not JSON ({error})" if isinstance(error, json.JSONDecodeError) else error
        raise errors.UserError(
            f"TF_CONFIG: {said}. It should read {_EXAMPLE}, with the index of this process "
            f"(docs/distributed.md); it is {text!r}."
        ) from error


def _own_name(config, addresses):
    task = _part(config.get("task"), dict, "task")
    name = f"{task.get('type')} {task.get('index')}"
    if name not in addresses:
        raise ValueError(f"this process is {name}, but the cluster has {', '.join(addresses)}")
    return name


def _part(value: Any, kind: type, name: str) -> Any:
    if not isinstance(value, kind):
        words = {dict: "{…}", list: "[…]"}
        raise ValueError(f"{name} must be {words[kind]}, not {json.dumps(value)}")
    return value


def _address(value, name):
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    if not (host and port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError(f"{name} has {json.dumps(value)} where HOST:PORT belongs")
    return value


def wait_for_others(cluster: Cluster, *, minutes: float, stream: TextIO | None = None) -> None:
    """Returns when every other process of the run listens; says for whom it waits.

    TensorFlow waits for them itself, but without a word, without an end, and deaf to signals. So
    each process listens at its own address first, where the others find it, and makes room for
    TensorFlow's server when it has found all of them: whoever is later finds that server.

    Args:
        cluster: the processes.
        minutes: how long to wait.
        stream: where to write, standard error by default.

    Raises:
        TryAgain: one does not come.
        UserError: this process's own port is in use.
    """
    begun = time.monotonic()
    speaks_at = begun + _SECONDS_BEFORE_A_WORD
    missing = cluster.others
    with _listening(cluster):
        while missing := {name: at for name, at in missing.items() if not answers(at)}:
            now = time.monotonic()
            words = ", ".join(f"{name} at {address}" for name, address in missing.items())
            if now >= begun + 60 * minutes:
                raise errors.TryAgain(
                    f"{words} did not come within {minutes:g} minutes (Runtime.wait_minutes). Is "
                    "the same command running there, with its own TF_CONFIG, and the port open?"
                )
            if now >= speaks_at:
                speaks_at = now + _SECONDS_BETWEEN_WORDS
                print(f"waiting for {words} …", file=stream or sys.stderr, flush=True)
            time.sleep(_SECONDS_BETWEEN_LOOKS)


@contextlib.contextmanager
def _listening(cluster: Cluster) -> Iterator[None]:
    """Listens where TensorFlow's server will: at this process's port, on every interface."""
    port = _host_and_port(cluster.addresses[cluster.own_name])[1]
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        # Nobody is answered but by the system, so all the others have to fit in its queue.
        server = socket.create_server(
            ("", port), family=family, dualstack_ipv6=both, backlog=len(cluster.addresses)
        )
    except OSError as error:
        raise errors.UserError(
            f"TF_CONFIG: {cluster.own_name}, which this process is, cannot listen on port {port}: "
            f"{error.strerror}. Is it running already?"
        ) from error
    with server:
        yield


def answers(address: str) -> bool:
    """Returns whether something listens at "host:port"."""
    try:
        socket.create_connection(_host_and_port(address), timeout=_SECONDS_TO_ANSWER).close()
    except OSError:
        return False
    return True


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
