# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Starts the model server of the tests as a process of its own."""

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Iterator

_ROOT = pathlib.Path(__file__).resolve().parents[3]


@dataclasses.dataclass
class Server:
    """A server that is ready.

    Attributes:
        grpc: grpc://HOST:PORT.
        rest: http://HOST:PORT.
        warmed: warm-up requests that it answered itself.
    """

    grpc: str
    rest: str
    warmed: int
    _process: subprocess.Popen
    _command: list[str]

    def restart(self) -> None:
        """Ends the process at once, in whatever it does, and starts another on the same ports."""
        self.kill()
        ports = [f"--port={_port(self.grpc)}", f"--rest_api_port={_port(self.rest)}"]
        self._process, _ = _start([*self._command, *ports])

    def kill(self) -> None:
        """Ends the process at once."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._process.stdout.close()

    @property
    def pid(self) -> int:
        """Of the process that serves now."""
        return self._process.pid


@contextlib.contextmanager
def serving(base_path, *flags: str) -> Iterator[Server]:
    """Serves the newest version in a folder while the block runs.

    Args:
        base_path: folder of versions.
        *flags: see `serve`.
    """
    module = "tests.serving.model_server.serve"
    command = [sys.executable, "-m", module, f"--model_base_path={base_path}", *flags]
    process, ready = _start(command)
    address = f"://127.0.0.1:{ready['grpc']}", f"://127.0.0.1:{ready['rest']}"
    server = Server(f"grpc{address[0]}", f"http{address[1]}", ready["warmed"], process, command)
    try:
        yield server
    finally:
        server.kill()


def _start(command):
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(
        command, cwd=_ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"The model server ended with code {process.wait()}.")
    return process, json.loads(line)


def _port(address):
    return address.rpartition(":")[2]
