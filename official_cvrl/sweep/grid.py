# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Axes of a table: a gin name and the values it takes, and all that can be made of them."""

import dataclasses
import hashlib
import itertools
import re
from collections.abc import Sequence

from official_cvrl import errors

_AXIS = re.compile(r"\s*([\w./%]+)\s*=\s*\[(.*)\]\s*", re.DOTALL)
# A text that no number, truth value or other text is written like without its quotes.
_WORD = re.compile(r"'(?!(?:True|False|None)')([^\W\d]\w*)'")
_OPENING, _CLOSING = "([{", ")]}"


@dataclasses.dataclass(frozen=True)
class Axis:
    """A gin name and the values that it takes.

    Attributes:
        name: as gin files bind it, `SEED` or `sampling.trend`.
        values: as gin files write them.
    """

    name: str
    values: Sequence[str]


@dataclasses.dataclass(frozen=True)
class Point:
    """One value of each axis.

    Attributes:
        values: (name, value) of each axis, in their order.
    """

    values: Sequence[tuple[str, str]]

    @property
    def params(self) -> Sequence[str]:
        """Its gin bindings."""
        return [f"{name} = {value}" for name, value in self.values]

    @property
    def label(self) -> str:
        """What a person calls it: the last part of each name, and the value."""
        return ", ".join(f"{_short(name)} = {value}" for name, value in self.values) or "as it is"

    @property
    def folder(self) -> str:
        """A name for its folder, another one for each point of a grid.

        Grids over names with the same last part share it.
        """
        plain = "_".join(f"{_short(name)}={value}" for name, value in self.values) or "run"
        safe = re.sub(r"[^\w.=@+-]+", "", plain)[:80]
        if _WORD.sub(r"\1", plain) == safe:
            return safe
        return f"{safe}-{hashlib.sha256(plain.encode()).hexdigest()[:6]}"

    def without(self, name: str) -> "Point":
        """Returns the point without an axis."""
        return Point(tuple(pair for pair in self.values if pair[0] != name))


def parse(texts: Sequence[str]) -> Sequence[Axis]:
    """Reads axes as a command line gives them: `NAME = [VALUE, VALUE]`.

    A value is whatever gin reads: a number, a text in quotes, a tuple, a reference.

    Raises:
        UserError: one of another form, without values, or with a name or a value twice.
    """
    axes = [_axis(text) for text in texts]
    names = [axis.name for axis in axes]
    if twice := {name for name in names if names.count(name) > 1}:
        raise errors.UserError(f"--grid has {twice.pop()} twice; give all values in one list.")
    return axes


def points(axes: Sequence[Axis]) -> Sequence[Point]:
    """Returns every combination of the axes' values; the last axis changes fastest."""
    pairs = [[(axis.name, value) for value in axis.values] for axis in axes]
    return [Point(chosen) for chosen in itertools.product(*pairs)]


def _axis(text):
    found = _AXIS.fullmatch(text)
    values = _split(found[2]) if found else []
    if not values or not all(values):
        raise errors.UserError(
            f'--grid="{text}" is no axis; give a name and a list, as in --grid="SEED = [0, 1, 2]".'
        )
    if len(set(values)) < len(values):
        raise errors.UserError(f'--grid="{text}" has a value twice.')
    return Axis(found[1], values)


def _split(text):
    """Splits at the commas that stand in no brackets and no quotes."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        else:
            depth += (letter in _OPENING) - (letter in _CLOSING)
        if letter == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _short(name):
    return name.rpartition(".")[2]
