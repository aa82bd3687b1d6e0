# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The section with nearest neighbours, each a thumbnail that moves."""

import os

from official_cvrl.report import figures, markup, neighbors

_TITLE = "Nearest neighbours"


def section(gallery: neighbors.Gallery) -> markup.Markup:
    """Shows each query beside its neighbours, marked right or wrong where classes are known."""
    caption = (
        f"On the left a {gallery.query_split} video, beside it the training videos whose "
        "embeddings lie nearest; the number is the cosine similarity. Point at one to stop it."
    )
    rows = [_row(query, gallery.query_split) for query in gallery.queries]
    return markup.element(
        "section",
        markup.element("h2", _TITLE),
        markup.element("p", caption),
        markup.element("p", _extent(gallery)),
        *rows,
    )


def missing(reason: str) -> markup.Markup:
    """Says why there are no neighbours on this page."""
    return markup.element(
        "section",
        markup.element("h2", _TITLE),
        markup.element("p", f"Not on this page: {reason}", class_="missing"),
    )


def _extent(gallery):
    embedded = (
        f"Embedded with {os.path.basename(gallery.checkpoint)}: "
        f"{_share(gallery.train_share)} training videos"
    )
    if gallery.query_share != gallery.train_share or gallery.query_split != "train":
        embedded += f" and {_share(gallery.query_share)} {gallery.query_split} videos"
    if gallery.right_share is None:
        return f"{embedded}."
    return f"{embedded}; the single nearest has the right class for {gallery.right_share:.1%}."


def _share(share):
    done, total = share
    return f"all {total:,}" if done == total else f"{done:,} of {total:,}"


def _row(query, split):
    near = [_neighbor(neighbor) for neighbor in query.neighbors]
    asked = _video(query.video, f"{split} video", class_="video")
    return markup.element("div", asked, markup.element("div", *near, class_="near"), class_="query")


def _neighbor(neighbor):
    similarity = f"{neighbor.similarity:.3f}"
    if neighbor.is_right is None:
        return _video(neighbor.video, similarity, class_="video")
    sign, spoken, class_ = (
        ("✓", "right class", "video right")
        if neighbor.is_right
        else ("✗", "other class", "video wrong")
    )
    mark = markup.element("i", sign, role="img", aria_label=spoken)
    return _video(neighbor.video, similarity, class_=class_, mark=mark)


def _video(video, below, *, class_, mark=None):
    name = video.label or video.name
    shown = markup.breakable(name)
    text = [shown] if mark is None else [mark, " ", shown]
    return markup.element(
        "figure",
        figures.moving(video.strip, num_frames=video.num_frames, spoken=f"A clip of {name}"),
        markup.element("figcaption", *text, markup.element("small", below)),
        class_=class_,
        title=video.name,
    )
