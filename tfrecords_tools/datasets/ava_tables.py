# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Reads AVA's files: persons by key frame, detected boxes, action list, lists of timestamps."""

from __future__ import annotations

import collections
import dataclasses
import pathlib
from collections.abc import Callable, Collection, Sequence

import numpy as np

from official_cvrl import ava_files, errors
from tfrecords_tools import annotations, official_labels
from tfrecords_tools.datasets import files

NEEDS = (
    "--annotations must be the folder of the official files (ava_train_v2.2.csv, "
    "ava_train_excluded_timestamps_v2.2.csv, the same for val, …)."
)

# What the included timestamps are, in seconds, where their list is not there.
_INCLUDED = range(902, 1799)
_Corners = tuple[float, float, float, float]


@dataclasses.dataclass
class Table:
    """What the rows of a file say.

    Attributes:
      persons: by key frame, one for each box; no one where a row names a key frame without a box.
      refused: the rows that say nothing usable, each with its number and the reason.
    """

    persons: dict[ava_files.KeyTime, tuple[annotations.Person, ...]]
    refused: list[annotations.Refused]


@dataclasses.dataclass(frozen=True)
class _Row:
    """One row: a box with at most one label, or none at all."""

    key: ava_files.KeyTime
    corners: _Corners | None
    label: str = ""
    score: float = 1.0
    track: int | None = None


def read_persons(path: pathlib.Path, *, label_names: Sequence[str]) -> Table:
    """Reads ground truth: `film,seconds,x1,y1,x2,y2,action,person`, a row for each box and action.

    Raises:
      UserError: the file cannot be read.
    """
    gathered: dict[ava_files.KeyTime, dict[tuple, list[str]]] = {}

    def take(cells: Sequence[str]) -> None:
        row = _ground_truth(cells, label_names)
        boxes = gathered.setdefault(row.key, {})
        if row.corners is None:
            return
        labels = boxes.setdefault((row.corners, row.track), [])
        if row.label in labels:
            raise ValueError("repeats an earlier row")
        labels.append(row.label)

    refused = _each_row(path, take)
    persons = {
        key: tuple(
            annotations.Person(corners, labels=tuple(labels), track=track)
            for (corners, track), labels in boxes.items()
        )
        for key, boxes in gathered.items()
    }
    return Table(persons, refused)


def read_detections(path: pathlib.Path) -> Table:
    """Reads detected boxes: `film,seconds,x1,y1,x2,y2,score`, or with an action before the score.

    The action is not read: what a person does is for the model to say. A box that stands in several
    rows has the highest of their scores.

    Raises:
      UserError: the file cannot be read.
    """
    gathered: dict[ava_files.KeyTime, dict[_Corners, float]] = {}

    def take(cells: Sequence[str]) -> None:
        row = _detection(cells)
        boxes = gathered.setdefault(row.key, {})
        boxes[row.corners] = max(row.score, boxes.get(row.corners, 0.0))

    refused = _each_row(path, take)
    persons = {
        key: tuple(annotations.Person(corners, score=score) for corners, score in boxes.items())
        for key, boxes in gathered.items()
    }
    return Table(persons, refused)


def _each_row(path: pathlib.Path, take: Callable) -> list[annotations.Refused]:
    """Calls a function with every row; returns those it cannot take."""
    refused = []
    for number, cells in enumerate(files.rows(path, needs=NEEDS), start=1):
        try:
            take(cells)
        except ValueError as error:
            reason = f"{path.name} row {number} ({','.join(cells)}): {error}"
            refused.append(annotations.Refused(cells[0], reason))
    return refused


def _ground_truth(cells: Sequence[str], label_names: Sequence[str]) -> _Row:
    if len(cells) not in (2, 7, 8):
        raise ValueError(f"has {len(cells)} columns, not 8")
    key = ava_files.key_time(*cells[:2])
    if not any(cells[2:]):
        return _Row(key, corners=None)
    track = whole(cells[7], "person id") if len(cells) == 8 and cells[7] else None
    action = whole(cells[6], "label id")
    # AVA counts actions from 1, records count labels from 0.
    if not 1 <= action <= len(label_names):
        raise ValueError(f"label id {action} is unknown; they are 1 to {len(label_names)}")
    return _Row(key, corners(cells[2:6]), label=label_names[action - 1], track=track)


def _detection(cells: Sequence[str]) -> _Row:
    if len(cells) not in (7, 8):
        raise ValueError(f"has {len(cells)} columns, not 7 or 8")
    score = ava_files.number(cells[-1], "score")
    if not 0 <= score <= 1:
        raise ValueError(f"score {cells[-1]} is outside [0, 1]")
    return _Row(ava_files.key_time(*cells[:2]), corners(cells[2:6]), score=score)


def corners(cells: Sequence[str]) -> _Corners:
    """Returns ymin, xmin, ymax, xmax out of x1, y1, x2, y2, rounded as records hold them.

    Raises:
      ValueError: they make no box within the frame.
    """
    numbers = [
        ava_files.number(cell, name)
        for cell, name in zip(cells, ("x1", "y1", "x2", "y2"), strict=True)
    ]
    xmin, ymin, xmax, ymax = (float(np.float32(value)) for value in numbers)
    if not all(0 <= edge <= 1 for edge in (xmin, ymin, xmax, ymax)):
        raise ValueError(
            "the box is outside the frame (corners are shares of width and height, not pixels)"
        )
    if not (xmin < xmax and ymin < ymax):
        raise ValueError("the box has no area")
    return ymin, xmin, ymax, xmax


def whole(text: str, name: str) -> int:
    """Returns the whole number from 0 that a cell holds; ValueError, with its name, if none."""
    value = ava_files.number(text, name)
    if value != int(value) or value < 0:
        raise ValueError(f"{name} {text!r} is not a number that counts")
    return int(value)


def read_actions(folder: pathlib.Path, *, version: str) -> tuple[str, ...]:
    """Returns the actions by index: of the list in the folder, or the committed one without it.

    Raises:
      UserError: the list cannot be read, its ids are not 1, 2, …, each once, or two have one name.
    """
    path = folder / f"ava_action_list_v{version}.pbtxt"
    if not path.exists():
        return official_labels.read("ava")
    names = ava_files.read_labelmap(path)
    if sorted(names) != list(range(1, len(names) + 1)):
        raise errors.UserError(f"{path}: the ids are not 1 to {len(names)}; give the full list.")
    twice = [name for name, count in collections.Counter(names.values()).items() if count > 1]
    if twice:
        raise errors.UserError(f"{path}: {twice[0]!r} is the name of several actions.")
    return tuple(names[number] for number in sorted(names))


def read_included(folder: pathlib.Path, *, version: str) -> Collection[float]:
    """Returns the seconds that key frames may be at; the official 902 to 1798 without a list.

    Raises:
      UserError: the list cannot be read.
    """
    path = folder / f"ava_included_timestamps_v{version}.txt"
    if not path.exists():
        return _INCLUDED
    try:
        return {ava_files.number(line, "timestamp") for line in files.lines(path, needs=NEEDS)}
    except ValueError as error:
        raise errors.UserError(f"{path}: {error}.") from error
