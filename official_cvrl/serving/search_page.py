# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A page with a video and those that look like it, three frames of each."""

import dataclasses
import functools
import io
import os
import pathlib
from collections.abc import Sequence

from PIL import Image

from official_cvrl.report import document, figures, markup, pictures
from tfrecords_tools import annotations, video

_FRAMES_SHOWN = 3
_SMALL = video.Settings(short_side=128, min_frames=1)


@dataclasses.dataclass(frozen=True)
class Match:
    """A stretch of a video.

    Attributes:
        path: of the video.
        start_us: where it begins.
        end_us: where it ends.
        similarity: cosine, to the query's embedding.
    """

    path: str
    start_us: int
    end_us: int
    similarity: float


def render(query: str, matches: Sequence[Match], *, asked: str, caption: str) -> str:
    """Returns the page.

    Args:
        query: path of the video.
        matches: the nearest first.
        asked: what of the query was asked for, such as "0.0 to 2.0 s".
        caption: among what was searched, and how.
    """
    name = annotations.printable(query)
    near = [_figure(match.path, _times(match), match) for match in matches]
    shown = markup.element(
        "div",
        _figure(query, f"asked for: {asked}", None),
        markup.element("div", *near, class_="near"),
        class_="query",
    )
    title = f"Videos like {_short(name)}"
    header = markup.element("header", markup.element("h1", title))
    section = markup.element("section", markup.element("p", caption), shown)
    return document.render(f"{title} · CVRL", header, section)


def _figure(path, below, match):
    name = annotations.printable(path)
    caption = markup.element(
        "figcaption",
        markup.breakable(_short(name)),
        markup.element("small", below),
    )
    return markup.element("figure", _strip(path, match), caption, class_="video", title=name)


def _short(name):
    """With its folder: where classes are folders, names alone are alike."""
    return os.path.join(*pathlib.PurePath(name).parts[-2:])


def _times(match):
    start, end = (time_us / 1e6 for time_us in (match.start_us, match.end_us))
    return f"{match.similarity:.3f} · {start:.1f} to {end:.1f} s"


def _strip(path, match):
    try:
        frames = _frames(path, match.start_us if match else 0, match.end_us if match else None)
    except video.VideoError as error:
        return markup.element("p", f"no picture: {error}", class_="missing")
    spoken = f"{len(frames)} frames of {os.path.basename(annotations.printable(path))}"
    return figures.film(pictures.strip(frames), num_frames=len(frames), spoken=spoken)


@functools.lru_cache
def _frames(path, start_us, end_us):
    encoded = video.read_video(path, settings=_SMALL, start_us=start_us, end_us=end_us)
    shown = pictures.spread(len(encoded.frames), _FRAMES_SHOWN)
    return [Image.open(io.BytesIO(encoded.frames[index])).convert("RGB") for index in shown]
