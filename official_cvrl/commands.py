# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""How a command ends: its exit code, and one line where a person is to read why."""

import contextlib
import os
import sys
from collections.abc import Callable, Sequence

from absl import flags

from official_cvrl import errors

INTERRUPTED = 130


def parse_flags(arguments: Sequence[str]) -> list[str]:
    """Returns what is no flag, for `app.run(…, flags_parser=parse_flags)`.

    absl's own parser ends with 1, as does a command that did a part of its work; a mistake is 2.
    """
    try:
        return flags.FLAGS(arguments)
    except flags.Error as error:
        print(f"error: {error}. --help lists the flags.", file=sys.stderr)
        sys.exit(errors.UserError.exit_code)


def leave(code: int) -> None:
    """Ends the process with a code; at once after an interruption, whatever other threads do.

    They may be in the middle of a request or a file, and Python would wait for them.
    """
    if code == INTERRUPTED:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):  # Nobody may read it any more.
                stream.flush()
        os._exit(code)
    sys.exit(code)


def exit_code(command: Callable[[], int | None], *, interrupted: str | Callable[[], str]) -> int:
    """Runs a command; returns the code that its process ends with.

    Args:
        command: what to do; it may return a code of its own, None is 0.
        interrupted: what Ctrl-C leaves behind, as a sentence, or what finds out when it came.
    """
    try:
        return command() or 0
    except errors.UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(interrupted() if callable(interrupted) else interrupted, file=sys.stderr)
        return INTERRUPTED
