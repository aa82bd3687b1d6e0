# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Reads a csv file of boxes: who does what, where, and at which second of which video."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping, Sequence

from official_cvrl import ava_files, errors
from tfrecords_tools import annotations
from tfrecords_tools.datasets import ava, ava_tables, files

_NEEDED = ("video", "second", "x1", "y1", "x2", "y2", "label")
_OPTIONAL = ("person", "split")
_NEEDS = f"--annotations must be a csv file whose first line is {','.join(_NEEDED)}[,person,split]."

# Of a split: key frame → (corners, person) → labels.
_KeyFrames = dict[ava_files.KeyTime, dict[tuple, list[str]]]


def read(
    table: str | os.PathLike[str],
    *,
    videos: str | os.PathLike[str],
    split: str | None = None,
    clip_seconds: float | None = None,
) -> annotations.Annotations:
    """Reads a csv file with a header: `video,second,x1,y1,x2,y2,label[,person][,split]`.

    Corners lie in [0, 1] of the frame's width and height. A row without corners and label names a
    key frame in which nobody is; several rows of one box give it several labels, separated by `|`
    in one row or in rows of their own.

    Args:
      table: the csv file.
      videos: the videos' folder; a video is named by its path below it, or without its suffix.
      split: what to call the split, or which rows to take when there is a column `split`.
      clip_seconds: how long a clip is, with its key frame in the middle; None for 3.

    Raises:
      UserError: the file cannot be read, lacks a column or has another, or holds no rows.
    """
    seconds = ava.CLIP_SECONDS if clip_seconds is None else clip_seconds
    ava.check_clip_seconds(seconds)
    root = annotations.videos_folder(videos)
    films = ava.Films(root, files.by_stem(root), seconds=seconds, starts_at=0.0)
    gathered: dict[str, _KeyFrames] = {}
    refused: dict[str, list[annotations.Refused]] = {}
    for number, row in _rows(pathlib.Path(table)):
        name = row.get("split") or split or annotations.DEFAULT_SPLIT
        try:
            _take(row, gathered.setdefault(name, {}))
        except ValueError as error:
            reason = f"row {number} ({','.join(row.values())}): {error}"
            refused.setdefault(name, []).append(annotations.Refused(row["video"], reason))
    if split is not None and split not in gathered:
        raise errors.UserError(f"--split={split}: {table} has only {', '.join(sorted(gathered))}.")
    splits = {
        name: annotations.Split(
            tuple(films.clip(key, _persons(boxes)) for key, boxes in key_frames.items()),
            tuple(refused.get(name, ())),
        )
        for name, key_frames in sorted(gathered.items())
        if split in (None, name)
    }
    clips = [clip for one in splits.values() for clip in one.clips]
    label_names = tuple(sorted({label for clip in clips for label in clip.classes}))
    return annotations.Annotations(splits, label_names, settings={"clip_seconds": seconds})


def _rows(path: pathlib.Path) -> list[tuple[int, dict[str, str]]]:
    """Returns the rows after the header by column, each with its number in the file."""
    header, *rows = files.rows(path, needs=_NEEDS) or [[]]
    if set(_NEEDED) - set(header) or set(header) - {*_NEEDED, *_OPTIONAL}:
        raise errors.UserError(f"{path}: the first line is {','.join(header)!r}. {_NEEDS}")
    if not rows:
        raise errors.UserError(f"{path}: there are no rows after the header.")
    columns = len(header)
    padded = [(row + [""] * columns)[:columns] for row in rows]
    return [
        (number, dict(zip(header, row, strict=True))) for number, row in enumerate(padded, start=2)
    ]


def _take(row: Mapping[str, str], key_frames: _KeyFrames) -> None:
    if not row["video"]:
        raise ValueError("names no video")
    second = ava_files.number(row["second"], "second")
    if second < 0:
        raise ValueError(f"second {row['second']} is before the video begins")
    cells = [row[name] for name in ("x1", "y1", "x2", "y2")]
    names = _labels(row["label"])
    if not any(cells) and not names:
        key_frames.setdefault((row["video"], second), {})
        return
    corners = ava_tables.corners(cells)
    if not names:
        raise ValueError("the box has no label")
    person = ava_tables.whole(row["person"], "person") if row.get("person") else None
    boxes = key_frames.setdefault((row["video"], second), {})
    labels = boxes.setdefault((corners, person), [])
    if set(labels) & set(names):
        raise ValueError("repeats an earlier row")
    labels += names


def _labels(text: str) -> Sequence[str]:
    return list(dict.fromkeys(name.strip() for name in text.split("|") if name.strip()))


def _persons(boxes: Mapping[tuple, Sequence[str]]) -> tuple[annotations.Person, ...]:
    return tuple(
        annotations.Person(corners, labels=tuple(labels), track=person)
        for (corners, person), labels in boxes.items()
    )
