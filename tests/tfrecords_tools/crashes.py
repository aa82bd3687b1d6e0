# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Decoders that crash: a named pipe stands for the video on which they do."""

import contextlib
import errno
import multiprocessing
import os
import signal
import threading
import time
from multiprocessing import connection


def crash_workers():
    """Kills this process's children as a fault in native code does.

    It only waits for their ends: how they ended can be read once, and their owner wants to.
    """
    for process in multiprocessing.active_children():
        os.kill(process.pid, signal.SIGSEGV)
        connection.wait([process.sentinel])


@contextlib.contextmanager
def at(pipe, *, times):
    """Crashes whoever opens a named pipe, so many times."""

    def crash():
        for _ in range(times):
            end = _wait_for_reader(pipe)
            crash_workers()
            os.close(end)

    killer = threading.Thread(target=crash)
    killer.start()
    yield
    killer.join()


def _wait_for_reader(pipe):
    while True:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            assert error.errno == errno.ENXIO
            time.sleep(0.05)
