# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Starts a tf.data service: `python -m official_cvrl.data_service --help`."""

from __future__ import annotations

import argparse
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import tensorflow as tf

from official_cvrl import commands, errors, stack
from official_cvrl.data import service

_DESCRIPTION = """\
Starts what makes training batches outside the training process: one dispatcher, and workers on the
machines that are to read, decode and augment.

  on one machine, to try it:
    python -m official_cvrl.data_service --role=local --workers=2 --port=5050
    python train.py --gin_file=pretrain.gin --gin_param="run.data_service = 'grpc://localhost:5050'"
  on several: the dispatcher on one, a worker on each, by names that the others reach them by:
    python -m official_cvrl.data_service --role=dispatcher --port=5050 --host=10.0.0.1
    python -m official_cvrl.data_service --role=worker --host=10.0.0.2 \\
        --dispatcher=grpc://10.0.0.1:5050

Workers read --data_dir of the run by the same path, and need the same TensorFlow.
"""
_AFTERWORD = """\
--host is what others are told to connect to: localhost, unless you say otherwise. TensorFlow's
servers listen on all addresses of a machine all the same, without passwords, and run what they are
sent: keep their ports from strangers by a firewall.
"""

_LOOK_SECONDS = 1.0


def run_dispatcher(*, host: str, port: int, num_workers: int = 0) -> None:
    """Runs a dispatcher until this process is told to stop.

    Args:
        host: the name by which others reach this machine.
        port: 0 for any that is free.
        num_workers: how many workers to run beside, in processes of their own.

    Raises:
        UserError: the port is taken.
        TryAgain: no worker is left of those beside.
    """
    address = _start(lambda s: s.DispatchServer(s.DispatcherConfig(port=port)), port=port)
    address = f"grpc://{host}:{address.rpartition(':')[2]}"
    command = [sys.executable, "-m", "official_cvrl.data_service", "--role=worker"]
    command += [f"--dispatcher={address}", f"--host={host}"]
    workers = []
    try:
        for _ in range(num_workers):
            workers.append(subprocess.Popen(command))
        print(f"Train with run.data_service = '{address}'", flush=True)
        if workers:
            _watch(workers)
        _wait_for_signal()
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait()


def run_worker(*, dispatcher: str, host: str, port: int) -> None:
    """Runs a worker until this process is told to stop.

    Args:
        dispatcher: `grpc://HOST:PORT`.
        host: the name by which training processes reach this machine.
        port: 0 for any that is free.

    Raises:
        UserError: no dispatcher answers, or the port is taken.
    """
    service.refuse_absent(dispatcher)
    stack.register_filesystems()  # The graphs that come here name paths of any kind.
    worker = {
        "dispatcher_address": dispatcher.removeprefix("grpc://"),
        "worker_address": f"{host}:{port or '%port%'}",
        "port": port,
    }
    _start(lambda s: s.WorkerServer(s.WorkerConfig(**worker)), port=port)
    print(f"A worker of {dispatcher} is ready.", flush=True)
    _wait_for_signal()


def _watch(workers):
    """Tells of workers that end; training goes on with those that are left."""
    left = list(workers)
    while left:
        time.sleep(_LOOK_SECONDS)
        for worker in [one for one in left if one.poll() is not None]:
            left.remove(worker)
            print(
                f"warning: worker {worker.pid} ended (exit code {worker.returncode}), "
                f"{len(left)} are left; what it had in hand is missing from this epoch.",
                file=sys.stderr,
                flush=True,
            )
    raise errors.TryAgain("no worker of the data service is left; the lines above tell why.")


_servers = []  # They end when nothing refers to them.


def _start(make: Callable, *, port: int) -> str:
    """Starts a server; returns where it answers if it is a dispatcher."""
    try:
        # Two of TensorFlow's servers would share a port, and each get some of the calls.
        socket.create_server(("", port)).close()
        server = make(tf.data.experimental.service)
    except (OSError, RuntimeError, tf.errors.OpError) as error:
        raise errors.UserError(
            f"--port={port} cannot be used: {error}. Give another, or none for any that is free."
        ) from error
    _servers.append(server)
    return getattr(server, "target", "")


def _wait_for_signal() -> None:
    while True:
        signal.pause()


def _end(number, frame):
    sys.exit(128 + number)


def _parser() -> argparse.ArgumentParser:
    parser = commands.Parser(
        prog="python -m official_cvrl.data_service",
        description=_DESCRIPTION,
        epilog=_AFTERWORD,
    )
    add = parser.add_argument
    add("--role", required=True, choices=["dispatcher", "worker", "local"])
    add("--dispatcher", metavar="grpc://HOST:PORT", help="worker: whom to work for")
    add("--workers", type=int, metavar="N", help="local: how many workers (default: 1)")
    add("--port", type=int, default=0, metavar="N", help="to listen on (default: any free one)")
    add(
        "--host",
        default="localhost",
        help="the name by which other machines reach this one (default: %(default)s, which means "
        "that they cannot)",
    )
    return parser


def _run(options: argparse.Namespace) -> None:
    place = {"host": options.host, "port": options.port}
    if (options.role == "worker") != (options.dispatcher is not None):
        raise errors.UserError("--dispatcher=grpc://HOST:PORT goes with --role=worker.")
    if options.workers is not None and (options.role != "local" or options.workers < 1):
        raise errors.UserError("--workers=N, at least 1, goes with --role=local.")
    if options.role == "worker":
        run_worker(dispatcher=options.dispatcher, **place)
    else:
        run_dispatcher(num_workers=(options.workers or 1) * (options.role == "local"), **place)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command until it is stopped; returns its exit code."""
    options = _parser().parse_args(arguments)
    # A shell that starts it in the background has Ctrl-C ignored, and Python keeps to that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _end)
    return commands.exit_code(lambda: _run(options), interrupted="Stopped.")


if __name__ == "__main__":
    sys.exit(main())
