# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Locks: one at a time, named to the other, and none on a file that is there no longer."""

import fcntl
import os

import pytest

from official_cvrl import errors, locks


def test_the_second_is_kept_out_with_the_name_of_the_first(tmp_path):
    path = str(tmp_path / "a.lock")
    message = f"^{tmp_path} is in use by a friend: process {os.getpid()}\\. Wait for it .* --output"
    with locks.alone(path, others="a friend"):
        for _ in range(2):
            with (
                pytest.raises(errors.UserError, match=message),
                locks.alone(path, others="a friend"),
            ):
                pass
    with locks.alone(path, others="") as lock:
        locks.sign(lock, 7)
        with pytest.raises(errors.UserError, match="process 7"), locks.alone(path, others=""):
            pass


def test_a_lock_that_was_removed_while_it_was_taken_is_none(tmp_path, monkeypatch):
    path, taken = tmp_path / "a.lock", []

    def flock(file, how):
        if not taken:  # Whoever held it ends just now.
            path.unlink()
        taken.append(file)
        lock(file, how)

    lock = fcntl.flock
    monkeypatch.setattr(fcntl, "flock", flock)
    with locks.alone(str(path), others=""):
        assert path.read_text() == str(os.getpid())
    assert len(taken) == 2


def test_a_file_system_without_locks_keeps_nobody_out(tmp_path, monkeypatch):
    def flock(file, how):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", flock)
    with locks.alone(str(tmp_path / "a"), others=""), locks.alone(str(tmp_path / "a"), others=""):
        pass
