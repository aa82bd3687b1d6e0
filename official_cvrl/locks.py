# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""One process at a time in a folder, for as long as it lives."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from typing import TextIO

from official_cvrl import errors


@contextlib.contextmanager
def alone(path: str, *, others: str) -> Iterator[TextIO]:
    """Keeps others out of a folder, until this process and whom it hands the lock to are gone.

    Args:
        path: of the lock, in the folder, which is there.
        others: who may be at work there, for the message.

    Yields:
        The lock, which who is inside may remove. The kernel releases it, however a process ends.
        A file system that knows no locks keeps nobody out.

    Raises:
        UserError: another process holds the lock.
        OSError: it cannot be written.
    """
    while True:
        with open(path, "a+", encoding="utf-8") as lock:
            _take(lock, path, others)
            if not _is_at(path, lock):  # Whoever held it has removed it since it was opened.
                continue
            sign(lock, os.getpid())
            yield lock
            return


def _take(lock, path, others):
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise errors.UserError(_in_use(lock, path, others)) from error
    except OSError:  # The file system knows no locks.
        pass


def _is_at(path, file):
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _in_use(lock, path, others):
    lock.seek(0)
    return (
        f"{os.path.dirname(path)} is in use by {others}: process {lock.read() or 'unknown'}. Wait "
        "for it or end it, or give another --output."
    )


def sign(lock: TextIO, process_id: int) -> None:
    """Writes into a lock who holds it, for who is kept out."""
    lock.seek(0)
    lock.truncate()
    lock.write(str(process_id))
    lock.flush()
