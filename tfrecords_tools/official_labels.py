# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The committed label maps; labels/README.md names their sources."""

from __future__ import annotations

import pathlib

_FOLDER = pathlib.Path(__file__).parent / "labels"


def read(name: str) -> tuple[str, ...]:
    """Returns the class names of a data set by index.

    Args:
      name: `kinetics400`, `kinetics600`, `kinetics700`, `hmdb51` or `ava`.
    """
    return tuple((_FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines())
