# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The exceptions whose message a person reads without a stack trace, and the nearest right name."""

import difflib
from collections.abc import Collection


class UserError(Exception):
    """Something the user gave is wrong; the message names it and the way out.

    Command modules print the message on standard error and exit with code 2.
    """

    exit_code = 2


class TryAgain(UserError):
    """Nothing that was given is wrong, and the same command may succeed later.

    The exit code is what schedulers know as a failure that is worth another try (sysexits.h).
    """

    exit_code = 75


def nearest(name: str, candidates: Collection[str]) -> str:
    """Returns a sentence that names what `name` was probably meant to be, or "" without any."""
    names = sorted({candidate for candidate in candidates if candidate and candidate != name})
    lower = {candidate.lower(): candidate for candidate in reversed(names)}
    close = difflib.get_close_matches(name.lower(), list(lower), n=3, cutoff=0.6)
    if close:
        return f" Did you mean {' or '.join(repr(lower[match]) for match in close)}?"
    if names and len(names) <= 20:
        return f" There is: {', '.join(names)}."
    return ""
