# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Whatever a path or name holds, it neither ends a cell nor becomes HTML, and reads as it is."""

import html
import re

import pytest

from official_cvrl.serving import markdown

_VALUES = (
    "a|b",
    "two\nlines\r\ttab",
    "<script>alert(1)</script>",
    "&lt;",
    "`x` ``y",
    "back\\|slash\\",
    "_under_ *star* __init__ [link](x)",
    " space ",
    "",
    "\u2028line",
)


@pytest.mark.parametrize("value", _VALUES)
def test_text_holds_nothing_special(value):
    shown = markdown.text(value)
    assert html.unescape(shown) == value
    assert not re.search(r"[|<>`*\[\\\n\r\u2028]|&(?!#\d+;)|\b_|_\b", shown)


@pytest.mark.parametrize("value", _VALUES)
def test_code_holds_nothing_special(value):
    shown = markdown.code(value)
    assert shown == f"<code>{markdown.text(value)}</code>" or re.fullmatch(
        r"`[^`|\\\n\r\u2028]+`", shown
    )
    inside = shown[1:-1] if shown[0] == "`" else html.unescape(shown[6:-7])
    assert inside == value


def test_plain_words_stay_as_they_are():
    assert markdown.text("knn_top1 of run-3 (80%), a.b/c: 1,000") == (
        "knn_top1 of run-3 (80%), a.b/c: 1,000"
    )
    assert markdown.code("gs://bucket/a_run/ckpt-30") == "`gs://bucket/a_run/ckpt-30`"


def test_a_block_ends_where_it_should():
    lines = "a = 1\n```\n# ````\nb = <x>"
    assert markdown.block(lines) == f"`````\n{lines}\n`````"
    assert markdown.block("a = 1") == "```\na = 1\n```"


def test_table():
    assert markdown.table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
