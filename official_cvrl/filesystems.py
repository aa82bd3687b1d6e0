# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Turns a local or remote path into one this installation can open, or says why it cannot."""

from __future__ import annotations

import os
import posixpath
import re
import sys
from collections.abc import Callable, Iterator
from typing import BinaryIO

from etils import epath
from etils.epath import backend, gpath

from official_cvrl import errors, stack

_KNOWN_TO_EPATH = ("gs", "s3", "az")
_OF_TENSORFLOW_IO = ("s3", "az", "hdfs", "viewfs", "har", "oss", "http", "https")
_SCHEME = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]*)://")


def scheme(path: str | os.PathLike[str]) -> str:
    """Returns `gs` for `gs://bucket/file`, and an empty string for a local path."""
    match = _SCHEME.match(os.fspath(path))
    return match.group(1).lower() if match else ""


def absolute(path: str) -> str:
    """Returns a local path as an absolute one, and `scheme://…` as it is."""
    return path if scheme(path) else os.path.abspath(path)


class _TensorFlowPath(gpath.PosixGPath):
    """A path whose scheme epath does not know and TensorFlow does, such as hdfs:// or ram://.

    Its parts are `scheme:`, host and so on, because pathlib makes one slash of two.
    """

    @property
    def _backend(self):
        return backend.tf_backend

    @property
    def _uri_scheme(self):
        within = bool(self.parts) and self.parts[0].endswith(":")
        return self.parts[0][:-1] if within else None  # None: relative to such a path.

    @property
    def _path_str(self):
        if self._uri_scheme is None:
            return super()._path_str
        return f"{self._uri_scheme}://{posixpath.join('', *self.parts[1:])}"


def openable_path(path: str | os.PathLike[str]) -> epath.Path:
    """Returns `path` as a pathlib-like object that reads and writes wherever it points.

    Args:
      path: a local path, or `scheme://…`.

    Raises:
      UserError: when this installation has no file system for the scheme.
    """
    name = scheme(path)
    if name and not _is_registered(name):
        plugin = stack.where_to_find("tensorflow_io") if name in _OF_TENSORFLOW_IO else ""
        raise errors.UserError(
            f"{os.fspath(path)}: this installation cannot open {name}:// paths; use a local folder "
            f"or gs://, or mount it as a folder.{plugin}"
        )
    if name and name not in (*_KNOWN_TO_EPATH, "file"):
        return _TensorFlowPath(os.fspath(path))
    # epath knows which schemes are remote; file:// is an ordinary local path to it.
    return epath.Path(_SCHEME.sub("", os.fspath(path)) if name == "file" else path)


def refuse_remote(path: str, *, option: str) -> None:
    """Raises UserError, with the option that gave it, where only a local path will do."""
    if scheme(path):
        raise errors.UserError(f"{option}={path} must be on a local disk; copy it to or from one.")


def is_fault(error: Exception) -> bool:
    """Tells whether a file system is at fault, this machine's or a remote one."""
    # Remote ones are TensorFlow's, which is imported by the time that one of them fails.
    remote = sys.modules.get("tensorflow")
    return isinstance(error, OSError) or bool(remote and isinstance(error, remote.errors.OpError))


def num_bytes(path: str | os.PathLike[str]) -> int:
    """Returns the size of a file, or -1 when there is none that can be read."""
    try:
        return openable_path(path).stat().length if scheme(path) else os.path.getsize(path)
    except Exception as error:
        if not is_fault(error):
            raise
        return -1


def readable_file(path: str) -> str | BinaryIO:
    """Returns what a library reads a file by: a local path, or a remote one opened for reading."""
    if not scheme(path):
        return path
    import tensorflow as tf

    openable_path(path)  # Refuses what cannot be opened.
    return tf.io.gfile.GFile(path, "rb")


def walk(
    path: str | os.PathLike[str], *, on_error: Callable[[OSError], None] | None = None
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yields folder, names of its folders and names of its files, as `os.walk` does.

    Links to folders are followed.

    Args:
      path: of the topmost folder.
      on_error: is given the error of each local folder that cannot be listed.
    """
    if not scheme(path):
        yield from os.walk(path, followlinks=True, onerror=on_error)
        return
    for folder, folders, names in openable_path(path).walk():
        # Buckets have no folders: what stands for them ends in a slash. In place, as the caller may
        # take some out.
        folders[:] = [name.rstrip("/") for name in folders]
        yield os.fspath(folder), folders, names


def _is_registered(name):
    # TensorFlow takes seconds to import, and local paths never need it.
    import tensorflow as tf

    if name in tf.io.gfile.get_registered_schemes():
        return True
    return stack.register_filesystems() and name in tf.io.gfile.get_registered_schemes()
