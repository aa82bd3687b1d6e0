# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What gin's parser and gin's calls raise, as messages with the place that is to be changed."""

import contextlib
import os
import re
import tokenize
from collections.abc import Iterator
from typing import Any

from official_cvrl import errors, gin_names, gin_reach

_GIN_LOCATION = re.compile(r"\n  In (?:file \".*?\",|bindings string) line (\d+)\n")
_GIN_CALL = re.compile(r"\n  In call to configurable '([^']*)' \(")


@contextlib.contextmanager
def of_syntax(name: str) -> Iterator[None]:
    """Turns what goes wrong inside a statement into UserErrors with file and line."""
    try:
        yield
    except (SyntaxError, tokenize.TokenError) as error:
        message, place = error.args[0], error.args[1]
        line = place[1] if isinstance(error, SyntaxError) else place[0]
        if token := re.search(r"Failed to parse token '(.*)'", message):
            message = f"'{token[1]}' is no value (text needs quotes, a reference @, a macro %)"
        if "expected ':' or '='" in message:  # Of a block, which no single line is.
            quoted = ", all of it in quotes" if name.startswith("--") else ""
            message = f"write NAME = VALUE{quoted}"
        raise errors.UserError(f"{location(name, line)}: cannot be read: {message}") from None
    except errors.UserError as error:
        message, line, *_ = *_GIN_LOCATION.split(str(error)), None
        raise errors.UserError(f"{location(name, line)}: {message}") from None


def location(name: str, line: Any) -> str:
    """Returns "file:line", short for a file in or below this folder; a flag's name as it is."""
    if name.startswith("--"):
        return name
    relative = os.path.relpath(name) if os.path.isabs(name) else name
    return f"{name if relative.startswith('..') else relative}:{line}"


@contextlib.contextmanager
def located(where: str) -> Iterator[None]:
    """Puts a place in front of UserErrors."""
    try:
        yield
    except errors.UserError as error:
        raise errors.UserError(f"{where}: {error}") from None


@contextlib.contextmanager
def of_call(root: str, ledger: gin_reach.Ledger) -> Iterator[None]:
    """Takes gin's lines about the calls off messages that are meant for the user."""
    try:
        yield
    except errors.UserError as error:
        # gin raises a class of its own in between.
        kind = errors.TryAgain if isinstance(error, errors.TryAgain) else errors.UserError
        raise kind(_GIN_CALL.split(str(error))[0]) from error.__cause__
    except (ValueError, TypeError) as error:
        message, *calls = _GIN_CALL.split(str(error))
        if calls and calls[0] == root and (place := _place_of_argument(message, root, ledger)):
            raise errors.UserError(f"{place}: {message}") from error
        if not calls or calls[0] == root:
            raise
        places = "".join(f"\n  {place}" for place in _places_of(calls[0], message, ledger))
        raise errors.UserError(f"{calls[0]}: {message}{places}") from error


def _places_of(called: str, message: str, ledger) -> list[str]:
    """Returns where the arguments that a message names are bound; all, if it names none."""
    bound = [
        (binding, where)
        for binding, where in ledger.locations.items()
        if binding[1].endswith(f".{called}")
    ]
    named = [place for place in bound if re.search(rf"\b{place[0][2]}\b", message)]
    if named:
        return [f"{where}: {gin_names.binding_name(*binding)}" for binding, where in named]
    return [
        f"{where}: {gin_names.binding_name(*binding)} = {gin_reach.resolved(binding)[0]!r}"
        for binding, where in bound
    ]


def _place_of_argument(message: str, root: str, ledger) -> str:
    """Returns where the argument is bound that a message begins with, as "seed=-1 must …" does.

    What else goes wrong inside the function that was called is no mistake of the gin files: "".
    """
    for binding in ledger.locations:
        value, written = gin_reach.resolved(binding)
        is_argument = binding[1].endswith(f".{root}")
        if is_argument and message.startswith(f"{binding[2]}={value!r} "):
            return ledger.locations[written]
    return ""
