# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Markdown out of plain values: paths and names show as they are, whatever is in them."""

import re
from collections.abc import Sequence

# What Markdown, its tables or HTML could take for theirs; underscores where they are no letter of a
# word.
_SPECIAL = re.compile(r"[\\`*\[\]<>&|~]|(?<![^\W_])_|_(?![^\W_])")


def text(value: str) -> str:
    """Returns a value as running text, in one line; what is special becomes an HTML entity."""
    return "".join(
        character
        if character.isprintable() and not _SPECIAL.match(value, place)
        else _entity(character)
        for place, character in enumerate(value)
    )


def code(value: str) -> str:
    """Returns a value in the type of code, in one line."""
    # Between backticks an entity would show as it is written, and a bar would end a table's cell.
    if value and value.isprintable() and not set(value) & set("`|\\") and value.strip() == value:
        return f"`{value}`"
    return f"<code>{text(value)}</code>"


def block(value: str) -> str:
    """Returns lines as they are, between a fence that none of them ends."""
    longest = max((len(run) for run in re.findall("`+", value)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{value}\n{fence}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table; cells are Markdown already, in one line each."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _entity(character):
    return f"&#{ord(character)};"
