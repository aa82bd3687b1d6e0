# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What the tests of serving share."""

import contextlib
import resource

import pytest


@pytest.fixture(name="full_disk")
def _full_disk():
    """Gives a block in which no file grows beyond so many bytes, as on a disk that is full."""

    @contextlib.contextmanager
    def full(num_bytes):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return full
