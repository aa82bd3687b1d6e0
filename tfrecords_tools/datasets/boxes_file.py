# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Reads a csv file of boxes: who does what, where, and at which second of which video."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from official_cvrl import ava_files, errors
from tfrecords_tools import annotations
from tfrecords_tools.datasets import ava, box_rows, files

_COLUMNS = ",".join(box_rows.COLUMNS)
_NEEDS = f"--annotations must be a csv file whose first line is {_COLUMNS},label[,person,split]."

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
    for row in _rows(table):
        name = row.columns.get("split") or split or annotations.DEFAULT_SPLIT
        try:
            _take(row, gathered.setdefault(name, {}))
        except ValueError as error:
            one = annotations.Refused(row.columns["video"], f"{row.told}: {error}")
            refused.setdefault(name, []).append(one)
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


def _rows(table: str | os.PathLike[str]) -> Sequence[box_rows.Row]:
    rows = box_rows.read(table, needed=("label",), optional=("person", "split"), needs=_NEEDS)
    if not rows:
        raise errors.UserError(f"{table}: there are no rows after the header.")
    return rows


def _take(row: box_rows.Row, key_frames: _KeyFrames) -> None:
    key, corners, names = row.key_time(), row.corners(), _labels(row.columns["label"])
    if corners is None and not names:
        key_frames.setdefault(key, {})
        return
    if corners is None:
        raise ValueError("the label has no box")
    if not names:
        raise ValueError("the box has no label")
    person = row.person()
    labels = key_frames.setdefault(key, {}).setdefault((corners, person), [])
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
