# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Text is escaped, markup is not escaped twice."""

import pytest

from official_cvrl.report import markup

_HOSTILE = """<script>"&'"""


def test_text_is_escaped_once():
    inner = markup.element("b", _HOSTILE)
    assert inner == """<b>&lt;script&gt;"&amp;'</b>"""
    assert markup.element("p", inner, _HOSTILE) == f"<p>{inner}{inner[3:-4]}</p>"
    assert markup.fragment("<", markup.Markup("<hr>")) == "&lt;<hr>"


def test_attributes():
    found = markup.element("p", class_="a", aria_label=_HOSTILE, n=0, hidden=True, x=None, y=False)
    escaped = "&lt;script&gt;&quot;&amp;&#x27;"
    assert found == f'<p class="a" aria-label="{escaped}" n="0" hidden></p>'


def test_elements_without_an_end():
    assert markup.element("img", alt="") == '<img alt="">'
    with pytest.raises(ValueError, match="children"):
        markup.element("img", "text")


def test_names_break_after_their_separators():
    assert markup.breakable("a_b/c<d.mp4") == "a_<wbr>b/<wbr>c&lt;d.<wbr>mp4"
    assert markup.breakable("_x_") == "_<wbr>x_"
