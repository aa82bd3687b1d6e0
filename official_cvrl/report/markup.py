# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""HTML out of plain values: whatever is not marked as HTML already is escaped."""

import html
import re

_VOID = {"img", "wbr"}


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(name: str, *children: str, **attributes: str | float | bool | None) -> Markup:
    """Returns an element.

    Args:
        name: of the element, as HTML or SVG writes it.
        *children: text, which is escaped, or `Markup`.
        **attributes: by name; an underscore stands for a hyphen, and one at the end is dropped
            (`class_`). True gives a bare attribute, False and None none at all.

    Raises:
        ValueError: children in an element that cannot have any.
    """
    start = f"<{name}{''.join(_attribute(*item) for item in attributes.items())}>"
    if name not in _VOID:
        return Markup(f"{start}{fragment(*children)}</{name}>")
    if children:
        raise ValueError(f"children={children} cannot stand in <{name}>.")
    return Markup(start)


def fragment(*children: str) -> Markup:
    """Returns children one after the other; plain text among them is escaped."""
    return Markup(
        "".join(c if isinstance(c, Markup) else html.escape(str(c), quote=False) for c in children)
    )


def breakable(name: str) -> Markup:
    """Returns a file or class name as text that may break after its separators."""
    pieces = re.split(r"(?<=[/_.-])(?=\w)", name)
    return Markup(element("wbr").join(fragment(piece) for piece in pieces))


def section(title: str, caption: str, *content: str) -> Markup:
    """Returns a section with its heading and a paragraph above what it shows."""
    return element("section", element("h2", title), element("p", caption), *content)


def _attribute(name, value):
    if value is None or value is False:
        return ""
    name = name.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{html.escape(str(value))}"'
