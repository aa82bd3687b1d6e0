# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Embeddings on a plane, by t-SNE: a dot a video, its class its colour, some as pictures."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from sklearn import manifold

from official_cvrl import metrics
from official_cvrl.report import markup, pictures

MOST_VIDEOS, FEWEST_VIDEOS, MOST_PICTURES = 500, 8, 28
_WIDTH, _HEIGHT, _EDGE, _PICTURE = 1000, 640, 36, 44
_MOST_CLASSES_NAMED = 24
_GOLDEN = 137.508  # Degrees between the colours of neighbouring classes.


@dataclasses.dataclass(frozen=True)
class Map:
    """Embedded videos on a plane.

    Attributes:
        places: see `places`.
        labels: int [num_videos]; -1 for none.
        label_names: by label.
        thumbnails: JPEG of a square frame, of some, by the video's number.
        split: theirs.
    """

    places: np.ndarray
    labels: np.ndarray
    label_names: Sequence[str]
    thumbnails: Mapping[int, bytes]
    split: str


def places(embeddings: np.ndarray) -> np.ndarray:
    """Returns where videos lie, float [num_videos, 2] in [0, 1]; always the same.

    Args:
        embeddings: float [num_videos, dim], at least `FEWEST_VIDEOS`; compared by cosine.
    """
    vectors = metrics.normalized(embeddings)
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    layout = manifold.TSNE(perplexity=perplexity, init=_begin(vectors), random_state=0)
    found = layout.fit_transform(vectors)
    low, high = found.min(axis=0), found.max(axis=0)
    return (found - low) / np.maximum(high - low, 1e-12)


def _begin(vectors):
    """The two principal components, as t-SNE likes to begin.

    scikit-learn's own are not numbers where all embeddings are equal, as of a collapsed model, and
    with those its compiled code ends the process.
    """
    centred = vectors - vectors.mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    components = left[:, :2] * sizes[:2]
    noise = np.random.default_rng(0).normal(size=components.shape)
    return (1e-4 * components / max(components[:, 0].std(), 1e-6) + 1e-7 * noise).astype(np.float32)


def spread(found: np.ndarray, count: int) -> Sequence[int]:
    """Returns videos that lie far from each other: each the farthest from those before it.

    Args:
        found: see `places`.
        count: how many.
    """
    chosen = [int(np.square(found - found.mean(axis=0)).sum(axis=1).argmin())]
    nearest = np.full(len(found), np.inf)
    while len(chosen) < min(count, len(found)):
        nearest = np.minimum(nearest, np.square(found - found[chosen[-1]]).sum(axis=1))
        chosen.append(int(nearest.argmax()))
    return chosen


def section(found: Map) -> markup.Markup:
    """Draws the map."""
    labels, names = found.labels, found.label_names
    dots = [_dot(*_place(xy), labels[n], names) for n, xy in enumerate(found.places)]
    images = [
        _picture(*_place(found.places[n]), jpeg, labels[n], names)
        for n, jpeg in found.thumbnails.items()
    ]
    drawing = markup.element(
        "svg",
        *dots,
        *images,
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        aria_label=f"Map of {len(labels)} embeddings",
    )
    caption = (
        f"{len(labels):,} {found.split} videos, laid out by t-SNE: near ones have near embeddings "
        "(by cosine); distances over the whole map say little. Point at a video for its class."
    )
    return markup.element(
        "section",
        markup.element("h2", "Map of the embeddings"),
        markup.element("p", caption),
        *_legend(labels, names),
        markup.element("div", drawing, class_="map"),
    )


def _place(xy):
    x = _EDGE + float(xy[0]) * (_WIDTH - 2 * _EDGE)
    return round(x, 1), round(_EDGE + float(xy[1]) * (_HEIGHT - 2 * _EDGE), 1)


def _colour(label):
    if label < 0:
        return "--curve:#8a8d96"
    return f"--curve:hsl({label * _GOLDEN % 360:.0f} 62% 48%)"


def _name(label, label_names):
    return label_names[label] if 0 <= label < len(label_names) else "no class"


def _dot(x, y, label, label_names):
    title = markup.element("title", _name(label, label_names))
    return markup.element("circle", title, cx=x, cy=y, r=5, style=_colour(label))


def _picture(x, y, jpeg, label, label_names):
    left, top = round(x - _PICTURE / 2, 1), round(y - _PICTURE / 2, 1)
    sides = {"x": left, "y": top, "width": _PICTURE, "height": _PICTURE}
    return markup.element(
        "g",
        markup.element("title", _name(label, label_names)),
        markup.element("image", href=pictures.data_uri(jpeg), **sides),
        markup.element("rect", **sides),
        style=_colour(label),
    )


def _legend(labels, label_names):
    there = [label for label in np.unique(labels).tolist() if label >= 0]
    if not there or len(there) > _MOST_CLASSES_NAMED:
        return
    items = [
        markup.element("li", markup.breakable(_name(n, label_names)), style=_colour(n))
        for n in there
    ]
    yield markup.element("ul", *items, class_="legend")
