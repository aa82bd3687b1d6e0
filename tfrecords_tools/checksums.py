# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Checksums of files, of any size."""

from __future__ import annotations

import hashlib

from etils import epath

_CHUNK = 1 << 22


def sha256(path: epath.Path) -> str:
    """Returns the checksum of a file, in hexadecimal.

    Raises:
      OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
