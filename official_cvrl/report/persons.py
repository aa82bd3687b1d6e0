# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The sections with key frames: boxes drawn over the picture, and below what is said of them."""

from collections.abc import Sequence

from official_cvrl.report import key_frames, markup, pictures

_WIDTH = 320  # Of a picture, in the units of its drawing.
_TEXT = 15
TESTED, AUGMENTED = "Key frames", "Boxes in training"  # Titles of the sections.


def tested(frames: Sequence[key_frames.KeyFrame], *, split: str) -> markup.Markup:
    """Shows what the detector says beside what is true."""
    return _section(
        TESTED,
        f"Key frames of split {split}. Solid yellow boxes are annotated; the detector was asked "
        "about dashed blue ones, each with the likeliest action and its score. Of the actions "
        "that it says those in bold are true.",
        markup.element("div", *(_figure(frame, _said) for frame in frames), class_="key-frames"),
    )


def augmented(
    rows: Sequence[tuple[key_frames.KeyFrame, Sequence[key_frames.KeyFrame]]],
) -> markup.Markup:
    """Shows key frames beside their crops."""
    shown = [
        markup.element(
            "div",
            *(_figure(frame, _true) for frame in (original, *crops)),
            class_="key-frames crops",
        )
        for original, crops in rows
    ]
    return _section(
        AUGMENTED,
        "On the left a training key frame as it was recorded, beside it how three epochs show it: "
        "cropped, flipped, boxes moved along and jittered. The number is the person's; of a box "
        "that is cut the visible part is taken, and dotted grey ones do not count.",
        *shown,
    )


def missing(title: str, reason: str) -> markup.Markup:
    """Says why a section is not on this page."""
    return markup.element(
        "section",
        markup.element("h2", title),
        markup.element("p", f"Not on this page: {reason}", class_="missing"),
    )


def _section(title, caption, *content):
    return markup.element(
        "section", markup.element("h2", title), markup.element("p", caption), *content
    )


def _figure(frame, line):
    lines = [markup.element("li", *line(person)) for person in frame.persons]
    caption = markup.element(
        "figcaption",
        markup.element("small", markup.breakable(frame.name)),
        markup.element("ol", *lines),
    )
    return markup.element("figure", _picture(frame), caption)


def _picture(frame):
    width, height = frame.size
    scale = _WIDTH / width
    image = markup.element(
        "img",
        src=pictures.data_uri(frame.jpeg),
        alt=f"Key frame {frame.name} with {len(frame.persons)} boxes",
    )
    drawn = [
        part
        for person in frame.persons
        for part in _box(person, width=_WIDTH, height=height * scale)
    ]
    svg = markup.element(
        "svg", *drawn, viewBox=f"0 0 {_WIDTH} {height * scale:.1f}", aria_hidden="true"
    )
    return markup.element("div", image, svg, class_="boxed")


def _box(person, *, width, height):
    ymin, xmin, ymax, xmax = person.corners
    left, top = xmin * width, ymin * height
    size = (xmax - xmin) * width, (ymax - ymin) * height
    if person.labels or not person.said:
        yield _rectangle(left, top, size, class_="truth" if person.counts else "passed")
    if person.said:
        yield _rectangle(left, top, size, class_="asked")
    if min(size) <= 0:  # Outside the crop.
        return
    word = " ".join(f"{name} {score:.0%}" for name, score in person.said[:1])
    # Beside the right edge a text ends at the box's, so that it is not cut.
    at_end = left > 0.6 * width
    yield markup.element(
        "text",
        f"{person.number} {word}".strip(),
        x=round(left + size[0] - 4 if at_end else left + 4, 1),
        y=round(min(max(top - 4, _TEXT), height - 4), 1),
        text_anchor="end" if at_end else "start",
    )


def _rectangle(left, top, size, *, class_):
    return markup.element(
        "rect",
        x=round(left, 1),
        y=round(top, 1),
        width=round(size[0], 1),
        height=round(size[1], 1),
        class_=class_,
    )


def _said(person):
    true = ", ".join(person.labels) or "not annotated"
    if not person.said:
        return [true, markup.element("small", "not asked about")]
    words = []
    for name, score in person.said:
        shown = f"{name} {score:.0%}"
        words += [markup.element("b", shown) if name in person.labels else shown, ", "]
    return [true, markup.element("small", "said: ", *words[:-1])]


def _true(person):
    true = ", ".join(person.labels) or "not annotated"
    return [true] if person.counts else [true, markup.element("small", "does not count")]
