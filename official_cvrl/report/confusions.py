# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The section of a classifier's confusions: the matrix as a picture, and the hardest classes."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from official_cvrl import errors, predictions
from official_cvrl.report import markup, runs

_TITLE = "Confusions"
_MOST_NAMED, _MOST_COUNTED = 40, 16  # Classes whose names, and whose counts, can be read.
_SIDE, _LETTER, _LONGEST = 480, 6.4, 22
_RIGHT, _WRONG = (47, 142, 90), (205, 75, 60)
_NO_BREAK = "\N{NO-BREAK SPACE}"
_HARDEST = 8


def section(run: runs.Run, family: Sequence[runs.Run]) -> markup.Markup:
    """Shows what the run's classifier takes for what, or the first one of its backbone.

    Returns nothing where no classifier has been tested.
    """
    for holder in runs.tested_as(run, family):
        try:
            table = predictions.read_confusion(holder.model_dir)
        except errors.UserError as error:
            return _section(markup.element("p", f"Not on this page: {error}", class_="missing"))
        if table is not None and table.counts.any():
            return _section(*_content(table, _whose(holder, run)))
    return markup.Markup("")


def _whose(holder, run):
    if holder is not run:
        return f"of {holder.name}"
    return "" if run.outdated_step is None else f"at step {run.outdated_step:,}"


def _section(*content):
    return markup.element("section", markup.element("h2", _TITLE), *content)


def _content(table, whose):
    caption = (
        f"Test videos {whose + ' ' if whose else ''}by their class (rows) and the class that they "
        "got (columns); the darker, the larger the part of the row. Green is right."
    )
    yield markup.element("p", caption)
    yield markup.element("div", _drawing(table), _hardest(table), class_="confusions")


def _drawing(table):
    count = len(table.label_names)
    named = count <= _MOST_NAMED
    margin = _margin(table.label_names) if named else 0
    size = _SIDE / count
    parts = [
        markup.element(
            "image",
            href=f"data:image/png;base64,{base64.b64encode(_png(table.counts)).decode()}",
            x=margin,
            y=margin,
            width=_SIDE,
            height=_SIDE,
        )
    ]
    if named:
        parts += _names(table.label_names, margin, size)
    if count <= _MOST_COUNTED:
        parts += _counts(table.counts, margin, size)
    return markup.element(
        "svg",
        *parts,
        viewBox=f"0 0 {margin + _SIDE} {margin + _SIDE}",
        role="img",
        aria_label=f"Confusion matrix of {count} classes",
    )


def _margin(names):
    return round(_LETTER * min(_LONGEST, max(map(len, names)))) + 14


def _names(names, margin, size):
    letters = min(12.5, 0.85 * size)
    for place, name in enumerate(names):
        shown = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
        middle = round(margin + (place + 0.5) * size, 1)
        beside = round(middle + letters / 3, 1)
        style = {"text_anchor": "end", "font_size": round(letters, 1)}
        yield markup.element("text", shown, x=margin - 6, y=beside, **style)
        turned = f"rotate(90 {round(middle - letters / 3, 1)} {margin - 6})"
        x = round(middle - letters / 3, 1)
        yield markup.element("text", shown, x=x, y=margin - 6, transform=turned, **style)


def _counts(counts, margin, size):
    for row, column in zip(*np.nonzero(counts), strict=True):
        yield markup.element(
            "text",
            int(counts[row, column]),
            x=round(margin + (column + 0.5) * size, 1),
            y=round(margin + (row + 0.5) * size + 4, 1),
            text_anchor="middle",
            class_="count",
        )


def _png(counts):
    """A pixel for each cell, as transparent as its part of the row is small."""
    parts = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    pixels = np.zeros([*counts.shape, 4], np.uint8)
    pixels[..., :3] = _WRONG
    np.einsum("iij->ij", pixels)[:, :3] = _RIGHT
    # Even a single video is to be seen.
    pixels[..., 3] = np.where(counts, 40 + 215 * parts, 0)
    encoded = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(encoded, "PNG", optimize=True)
    return encoded.getvalue()


def _hardest(table):
    totals = table.counts.sum(axis=1)
    right = table.counts.diagonal() / np.maximum(totals, 1)
    order = [label for label in np.argsort(right, kind="stable") if totals[label]]
    heads = ("Hardest classes", "Right", "Most often taken for")
    rows = [
        markup.element(
            "tr",
            markup.element("th", markup.breakable(table.label_names[label]), scope="row"),
            markup.element("td", f"{right[label]:.1%}{_NO_BREAK}of{_NO_BREAK}{totals[label]:,}"),
            markup.element("td", *_other(table, label)),
        )
        for label in order[:_HARDEST]
    ]
    head = markup.element("tr", *(markup.element("th", text, scope="col") for text in heads))
    shown = markup.element("table", markup.element("thead", head), markup.element("tbody", *rows))
    return markup.element("div", shown, class_="wide")


def _other(table, label):
    found = predictions.most_often_taken_for(table, label)
    return ("–",) if found is None else (markup.breakable(found[0]), f"{_NO_BREAK}({found[1]:,})")
