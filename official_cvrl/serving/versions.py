# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A folder of versions, 1, 2, …, as TensorFlow Serving wants it: a new one appears whole."""

import contextlib
import dataclasses
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

import tensorflow as tf

from official_cvrl import errors, filesystems

# What makes a folder a SavedModel to those who look for one.
_GRAPH = "saved_model.pb"


@dataclasses.dataclass(frozen=True)
class Version:
    """A version that is being written.

    Attributes:
        scratch: a local folder for what is needed meanwhile; it is removed in the end.
        model: a local folder that does not exist yet; what is written to it becomes the version.
        target: where the version will be.
    """

    scratch: str
    model: str
    target: str


@contextlib.contextmanager
def new(output: str, *, number: int = 0) -> Iterator[Version]:
    """Gives a version to write, which appears in its folder when the block ends well.

    In a local folder it appears at once. Elsewhere (gs://…) it is copied file by file, and what
    makes it a SavedModel comes last, so that nobody loads a part of it.

    Args:
        output: folder of versions, local or remote; made if it is not there.
        number: of the version; 0 for the one after the last.

    Raises:
        UserError: this installation cannot open such paths, the version is there already, or the
            folder cannot be written.
    """
    folder = filesystems.openable_path(output)
    remote = bool(filesystems.scheme(os.fspath(folder)))
    with writable(output):
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / str(_number(folder, number))
        scratch = tempfile.mkdtemp(prefix=".writing-", dir=None if remote else folder)
    try:
        model = os.path.join(scratch, "model")
        yield Version(scratch, model, os.fspath(target))
        with writable(output):
            (_copy if remote else os.rename)(model, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextlib.contextmanager
def writable(output: str) -> Iterator[None]:
    """Names the folder of versions, and the way out, where a file system is at fault.

    Raises:
        UserError: the block could not write.
    """
    try:
        yield
    except Exception as error:
        if not filesystems.is_fault(error):
            raise
        reason = error.message if isinstance(error, tf.errors.OpError) else error
        raise errors.UserError(
            f"{output!r} cannot be written: {reason}. Give --output=DIR, a folder that you may "
            "write to, with room for the model."
        ) from error


def _number(folder, wanted):
    # A bucket's folder is not there before something is in it.
    found = folder.iterdir() if folder.exists() else ()
    there = [int(path.name) for path in found if path.name.isdecimal()]
    if wanted in there:
        raise errors.UserError(
            f"{os.fspath(folder)!r} holds version {wanted} already; give another --version, or "
            f"none for version {max(there) + 1}."
        )
    return wanted or max(there, default=0) + 1


def _copy(model, target):
    files = [path for path in pathlib.Path(model).rglob("*") if path.is_file()]
    try:
        for path in sorted(files, key=lambda path: path.name == _GRAPH):
            there = target / path.relative_to(model).as_posix()
            there.parent.mkdir(parents=True, exist_ok=True)
            tf.io.gfile.copy(os.fspath(path), os.fspath(there))
    except BaseException:
        with contextlib.suppress(OSError, tf.errors.OpError):
            target.rmtree()
        raise
