# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Scripts as processes: their words in a log, signals handed on, and one sweep in a folder."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import TextIO

from official_cvrl import locks

_LOCK = "sweep.lock"
_SECONDS_BETWEEN_LOOKS = 0.2


def alone(folder: str) -> contextlib.AbstractContextManager[TextIO]:
    """Keeps other sweeps out of a folder; see `locks.alone`, whose lock is for `logged`.

    Raises:
        UserError: a sweep, or a run that one left behind, is at work in the folder.
    """
    others = "another sweep, or by a run that one left behind"
    return locks.alone(os.path.join(folder, _LOCK), others=others)


def logged(arguments: Sequence[str], *, log: str, lock: TextIO) -> int:
    """Runs a Python script with its words at the end of a file; returns the exit code.

    A signal that is to end this process ends that one first, so that it saves a checkpoint; one
    more kills it. In a session of its own a terminal's Ctrl-C does not reach it a second time.

    Args:
        arguments: the script and its own.
        log: the file.
        lock: see `alone`.

    Raises:
        KeyboardInterrupt: a signal came, and the script has ended.
    """
    command = [sys.executable, *arguments]
    with open(log, "ab") as file, _noted_signals() as noted:
        child = subprocess.Popen(
            command, stdout=file, stderr=file, start_new_session=True, pass_fds=[lock.fileno()]
        )
        locks.sign(lock, child.pid)
        code = _waited_for(child, noted, log)
        locks.sign(lock, os.getpid())
    if noted:
        raise KeyboardInterrupt
    return code


def _waited_for(child, noted, log):
    handed_on = 0
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return child.wait(_SECONDS_BETWEEN_LOOKS)
        if noted and not handed_on:
            print(f"Waiting for a checkpoint of {log.removesuffix('.log')} …", flush=True)
            child.terminate()
        elif len(noted) > handed_on:
            child.kill()
        handed_on = len(noted)


@contextlib.contextmanager
def _noted_signals() -> Iterator[list[int]]:
    """Gives a list of the signals that came; one that is ignored, as under nohup, stays so."""
    noted, before = [], {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, lambda number, frame: noted.append(number))
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
