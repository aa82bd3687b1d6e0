# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What a misspelt name was probably meant to be."""

import difflib
from collections.abc import Callable, Collection


def nearest(name: str, candidates: Collection[str]) -> str:
    """Returns a sentence that names what `name` was probably meant to be, or "" without any."""
    if near := meant(name, candidates):
        return near
    names = sorted({candidate for candidate in candidates if candidate and candidate != name})
    return f" There is: {', '.join(names)}." if 0 < len(names) <= 20 else ""


def meant(
    name: str, candidates: Collection[str], *, compared: Callable[[str], str] = lambda name: name
) -> str:
    """Returns " Did you mean …?" with the candidates that are close to `name`, "" if none is.

    Args:
        name: what was given.
        candidates: what could have been given.
        compared: which part of a candidate to hold against `name`.
    """
    names = sorted({candidate for candidate in candidates if candidate and candidate != name})
    by_part: dict[str, list[str]] = {}
    for candidate in names:
        by_part.setdefault(compared(candidate).lower(), []).append(candidate)
    close = difflib.get_close_matches(name.lower(), list(by_part), n=3, cutoff=0.6)
    found = [candidate for part in close for candidate in by_part[part]]
    return f" Did you mean {' or '.join(repr(candidate) for candidate in found)}?" if found else ""
