# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A command's output file: tried before the work, and there whole or not at all."""

import contextlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

from official_cvrl import errors


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
    # Another process may be writing the same output.
    unfinished = f"{output}.{secrets.token_hex(4)}.tmp"
    try:
        with open(unfinished, "wb") as file:
            yield file
        os.replace(unfinished, output)
    except OSError as error:
        raise _unwritable(output, error, setting=setting) from error
    finally:
        with contextlib.suppress(OSError):
            os.remove(unfinished)


def _unwritable(output, error, *, setting):
    reason = error.strerror or str(error)
    given = setting if "=" in setting else f"{setting}=FILE{os.path.splitext(output)[1]}"
    return errors.UserError(
        f"{output!r} cannot be written: {reason}. Give {given} in a folder that is there, has "
        "room, and that you may write to."
    )
