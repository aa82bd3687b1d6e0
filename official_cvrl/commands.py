# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""How a command ends: its exit code, and one line where a person is to read why."""

import argparse
import contextlib
import itertools
import os
import sys
from collections.abc import Callable, Collection, Sequence
from typing import NoReturn

from absl import flags

from official_cvrl import errors, spelling

INTERRUPTED = 130


def parse_flags(arguments: Sequence[str]) -> list[str]:
    """Takes flags and nothing else, for `app.run(…, flags_parser=parse_flags)`.

    What is no flag would be dropped by a command that does not ask for it. absl's own parser ends
    with 1, as does a command that did a part of its work; a mistake is 2, and --help is 0.
    """
    command, *left = parse_flags_and_paths(arguments)
    if left:
        _refuse(
            f"{left[0]!r} stands without a flag, and this command takes flags alone. Repeat "
            "a flag before each of its values; a value with spaces stands in quotes."
        )
    return [command]


def parse_flags_and_paths(arguments: Sequence[str]) -> list[str]:
    """As `parse_flags`, for commands that take paths among the flags; returns those."""
    try:
        return flags.FLAGS(arguments)
    except flags.UnrecognizedFlagError as error:
        _refuse(_unknown(f"--{error.flagname}", [f"--{name}" for name in flags.FLAGS]))
    except flags.Error as error:
        _refuse(str(error))
    except SystemExit:  # Only absl's flags that print help and are done raise it.
        sys.exit(0)


class Parser(argparse.ArgumentParser):
    """argparse's, whose mistakes are told as `parse_flags` tells them.

    Args:
        given: see the base class.
    """

    def __init__(self, **given):
        shape = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
        super().__init__(**shape, **given)

    def parse_args(self, args=None, namespace=None):
        """See the base class, which would first tell that what was misspelt is missing."""
        given = sys.argv[1:] if args is None else list(args)
        named = itertools.takewhile(lambda one: one != "--", given)  # All behind it are values.
        for name in (one.partition("=")[0] for one in named if one.startswith("--")):
            if name not in self._option_string_actions:
                self.error(_unknown(name, self._option_string_actions))
        return super().parse_args(given, namespace)

    def error(self, message: str) -> NoReturn:
        """See the base class."""
        _refuse(message)


def _unknown(name: str, known: Collection[str]) -> str:
    return f"there is no flag {name}.{spelling.nearest(name, known)}"


def _refuse(message: str) -> NoReturn:
    end = "" if message.endswith((".", "?")) else "."
    print(f"error: {message}{end} --help lists the flags.", file=sys.stderr)
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
