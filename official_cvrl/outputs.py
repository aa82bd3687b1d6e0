# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Files that are there whole or not at all; a command's output, tried before the work."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

from etils import epath

from official_cvrl import errors, filesystems

_PARTIAL = re.compile(r"^\.([^~]+)(?:~\w+)?\.partial$")


def refuse_unwritable(output: str, *, setting: str = "--output") -> None:
    """Tries before the work, so that hours of it are not lost.

    Args:
        output: the file to be.
        setting: what the user names it by, `--output`; with a value, `--output=DIR`, where that is
            not the file's own name.

    Raises:
        UserError: a file of that name cannot be written.
    """
    try:
        if os.path.isdir(output):
            raise IsADirectoryError("it is a folder")
        tempfile.TemporaryFile(dir=os.path.dirname(os.path.abspath(output))).close()
    except OSError as error:
        raise _unwritable(output, error, setting=setting) from error


@contextlib.contextmanager
def whole_file(output: str, *, setting: str = "--output") -> Iterator[BinaryIO]:
    """Gives a file to write to, which takes the output's place when the block ends well.

    Args:
        output: the file to be.
        setting: as of `refuse_unwritable`.

    Raises:
        UserError: it cannot be written; what was there before stays.
    """
    try:
        with whole(output) as file:
            yield file
    except Exception as error:
        # Of a local file, TensorFlow's errors are those of other work in the block.
        at_fault = filesystems.is_fault(error) if filesystems.scheme(output) else False
        if not (at_fault or isinstance(error, OSError)):
            raise
        raise _unwritable(output, error, setting=setting) from error


def _unwritable(output, error, *, setting):
    given = setting if "=" in setting else f"{setting}=FILE{os.path.splitext(output)[1]}"
    return errors.UserError(
        f"{output!r} cannot be written: {errors.words(error)}. Give {given} in a folder that is "
        "there, has room, and that you may write to."
    )


def save_text(path: str | os.PathLike[str], text: str, *, way_out: str = "") -> None:
    """Writes a file of a run, whole or not at all.

    Args:
        path: here or remote.
        text: the file's content.
        way_out: what to tell the user besides.

    Raises:
        UserError: it cannot be written; what was there before stays.
    """
    try:
        write_text(path, text)
    except Exception as error:
        if not filesystems.is_fault(error):
            raise
        told = f"{os.fspath(path)} cannot be written: {errors.words(error)}"
        raise errors.UserError(f"{told}{way_out and '; '}{way_out}.") from error


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a file of text in UTF-8 as `whole` does, and raises what it raises."""
    with whole(path) as file:
        file.write(text.encode())


@contextlib.contextmanager
def whole(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Gives a file to write to, which takes its place when the block ends well.

    A reader sees the old content or the new, never a part. Of two who write the same file, the
    later one's is there in the end.

    Args:
        path: here or remote.

    Raises:
        OSError, or TensorFlow's OpError of a remote file system (`filesystems.is_fault`): it
            cannot be written; what was there before stays.
    """
    place = filesystems.openable_path(path)
    unfinished = partial_path(place, attempt=secrets.token_hex(4))
    try:
        with unfinished.open("wb") as file:
            yield file
        unfinished.replace(place)
    except BaseException:
        with contextlib.suppress(Exception):
            unfinished.unlink(missing_ok=True)
        raise


def partial_path(path: epath.Path, *, attempt: str = "") -> epath.Path:
    """Returns where a file grows, beside its place, until it is whole.

    Args:
        path: where it will be.
        attempt: keeps apart those who write the same file at the same time.
    """
    return path.parent / f".{path.name}{attempt and '~'}{attempt}.partial"


def whose_partial(name: str) -> str:
    """Returns the name of the file that grows under a name of `partial_path`, "" under others."""
    match = _PARTIAL.match(name)
    return match[1] if match else ""
