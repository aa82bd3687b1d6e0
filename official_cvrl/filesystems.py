# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Turns a local or remote path into one this installation can open, or says why it cannot."""

from __future__ import annotations

import os
import re

from etils import epath

from official_cvrl import errors

_SCHEME = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]*)://")


def scheme(path: str | os.PathLike[str]) -> str:
    """Returns `gs` for `gs://bucket/file`, and an empty string for a local path."""
    match = _SCHEME.match(os.fspath(path))
    return match.group(1).lower() if match else ""


def absolute(path: str) -> str:
    """Returns a local path as an absolute one, and `scheme://…` as it is."""
    return path if scheme(path) else os.path.abspath(path)


def openable_path(path: str | os.PathLike[str]) -> epath.Path:
    """Returns `path` as a pathlib-like object that reads and writes wherever it points.

    Args:
      path: a local path, or `scheme://…`.

    Raises:
      UserError: when this installation has no file system for the scheme.
    """
    name = scheme(path)
    if name and name not in _registered_schemes():
        raise errors.UserError(
            f"{os.fspath(path)}: this installation cannot open {name}:// paths; copy the data to a "
            "local folder or to gs://."
        )
    # epath knows which schemes are remote; file:// is an ordinary local path to it.
    return epath.Path(_SCHEME.sub("", os.fspath(path)) if name == "file" else path)


def _registered_schemes() -> list[str]:
    # TensorFlow takes seconds to import, and local paths never need it.
    import tensorflow as tf

    with_plugins = tf.io.gfile.get_registered_schemes()
    try:
        import tensorflow_io  # noqa: F401  (importing it registers s3, az and hdfs)
    except ImportError:
        return with_plugins
    return tf.io.gfile.get_registered_schemes()
