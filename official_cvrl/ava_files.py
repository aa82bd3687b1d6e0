# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""AVA's official files as its evaluator takes them: action lists, exclusions, boxes."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import math
import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence

import numpy as np

from official_cvrl import detection_metrics, errors, filesystems, outputs, progress

_ITEM = re.compile(r'\b(?:label|item)\s*\{((?:[^"}]|"[^"]*")*)\}')
_ITEM_NAME = re.compile(r'\bname:\s*"([^"]*)"')
_ITEM_ID = re.compile(r"\b(?:label_id|id):\s*(\d+)")

_ROWS_AT_ONCE = 1 << 16
_FAULTS_SHOWN = 5

KeyTime = tuple[str, float]  # A film, and seconds in it.


def read_labelmap(path: str | os.PathLike[str]) -> dict[int, str]:
    """Returns the actions by id, in the order of the file.

    Args:
      path: a pbtxt of `label { name: "…" label_id: 1 }` or `item { name: "…" id: 1 }`.

    Raises:
      UserError: it cannot be read, holds no action, or has an id twice.
    """
    names: dict[int, str] = {}
    for item in _ITEM.findall(_text(path)):
        name, number = _ITEM_NAME.search(item), _ITEM_ID.search(item)
        if not name or not number:
            continue
        if int(number[1]) in names:
            raise errors.UserError(f"{path}: several actions have the id {number[1]}.")
        names[int(number[1])] = name[1]
    if not names:
        raise errors.UserError(f'{path}: holds no action, as in item {{ name: "stand" id: 12 }}.')
    return names


def read_exclusions(path: str | os.PathLike[str]) -> set[KeyTime]:
    """Returns the key frames that are to be left out: rows of `film,seconds`.

    Raises:
      UserError: the file cannot be read, or rows are no film and seconds.
    """
    excluded = set()

    def take(row: Sequence[str]) -> None:
        if len(row) != 2:
            raise ValueError(f"has {len(row)} columns, not 2")
        excluded.add(key_time(*row))

    rows = list(_numbered_rows(path, _text(path)))
    _refuse(path, _faults([(line, row) for line, row in rows if row], take))
    return excluded


def key_time(film: str, seconds: str) -> KeyTime:
    """Returns the key frame that two cells name; 0902 and 902 are the same.

    Raises:
      ValueError: they name none.
    """
    if not film.strip():
        raise ValueError("names no film")
    return film.strip(), number(seconds, "timestamp")


def number(text: str, name: str) -> float:
    """Returns the finite number that a cell holds.

    Raises:
      ValueError: it holds none; the message has the cell's name.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{name} {text!r} is not a number")
    return value


class KeyFrames(dict[tuple[str, str], int]):
    """Numbers key frames from 0, by film and seconds as cells have them, in one or several files.

    A cell that is no time raises ValueError.
    """

    def __init__(self):
        super().__init__()
        self._numbers: dict[KeyTime, int] = {}

    def __missing__(self, cells: tuple[str, str]) -> int:
        self[cells] = self._numbers.setdefault(key_time(*cells), len(self._numbers))
        return self[cells]

    @property
    def times(self) -> list[KeyTime]:
        """The key frames by number."""
        return list(self._numbers)


@dataclasses.dataclass(frozen=True)
class Table:
    """The boxes of a file.

    Attributes:
      boxes: frames by number, corners as written, labels as places in the action list.
      num_rows: rows with a box that the file has.
      notes: what a person should know of rows that do not count, or count as nothing.
    """

    boxes: detection_metrics.Boxes
    num_rows: int
    notes: tuple[str, ...]


def read_groundtruth(
    path: str, *, label_ids: Sequence[int], key_frames: KeyFrames, excluded: Collection[KeyTime]
) -> Table:
    """Reads `film,seconds,x1,y1,x2,y2,action[,person]`; a row may name a key frame without a box.

    Args:
      path: a csv file without a header.
      label_ids: the actions to keep, by class index.
      key_frames: numbers the key frames, and is added to.
      excluded: key frames to leave out.

    Raises:
      UserError: the file cannot be read, or rows cannot be understood; the first are named.
    """
    rows = _Rows(path, key_frames, last_column="person id")
    return _table(rows, label_ids=label_ids, excluded=excluded)


def read_detections(
    path: str, *, label_ids: Sequence[int], key_frames: KeyFrames, excluded: Collection[KeyTime]
) -> Table:
    """Reads `film,seconds,x1,y1,x2,y2,action,score`; the rest is as in `read_groundtruth`.

    Without a last column the score is 1, as it is to the official evaluator.
    """
    rows = _Rows(path, key_frames, last_column="score")
    table = _table(rows, label_ids=label_ids, excluded=excluded)
    notes = list(table.notes)
    if not table.num_rows:
        notes.append(f"{path}: holds no detection")
    if rows.num_without_last:
        notes.append(f"{path}: {rows.num_without_last} rows have no score; it is taken to be 1")
    return dataclasses.replace(table, notes=tuple(notes))


class _Rows:
    """The rows of a file with boxes, as arrays.

    Args:
      path: of the file.
      key_frames: numbers the key frames.
      last_column: "score", or "person id", with which rows may have no box.
    """

    def __init__(self, path: str, key_frames: KeyFrames, *, last_column: str):
        self.path, self.key_frames, self._last_column = path, key_frames, last_column
        self.num_without_last = 0
        parts, faults = [], []
        for rows in self._parts():
            try:
                parts.append(self._arrays(rows))
            except ValueError:
                faults += _faults(rows, lambda row: self._arrays([(0, row)]))
        _refuse(path, faults)
        self.lines = np.concatenate([lines for lines, _ in parts] or [np.empty(0, int)])
        nothing = detection_metrics.Boxes(*np.empty((4, 0)))
        self.boxes = detection_metrics.concatenate([nothing, *(boxes for _, boxes in parts)])

    def _parts(self) -> Iterator[list[tuple[int, list[str]]]]:
        """Yields rows that have a box, many at once, each with its line."""
        text = _text(self.path)
        shown = progress.Progress(
            label=os.path.basename(self.path), unit="rows", total=text.count("\n")
        )
        numbered = _numbered_rows(self.path, text)
        while rows := list(itertools.islice(numbered, _ROWS_AT_ONCE)):
            self.num_without_last += sum(len(row) == 7 for _, row in rows)
            yield [(line, row) for line, row in rows if row and not self._is_without_box(row)]
            # A line for each small file would only be in the way.
            if rows[-1][0] >= _ROWS_AT_ONCE:
                shown.update(rows[-1][0])
        shown.close()

    def _is_without_box(self, row):
        return self._last_column != "score" and len(row) >= 2 and not any(row[2:])

    def _arrays(self, rows) -> tuple[np.ndarray, detection_metrics.Boxes]:
        """Returns the lines and the boxes of some rows.

        Raises:
          ValueError: one cannot be understood; if it is the only one, the message says why.
        """
        if not rows:
            return np.empty(0, int), detection_metrics.Boxes(*np.empty((4, 0)))
        lines, cells = zip(*rows, strict=True)
        strange = next((row for row in cells if len(row) not in (7, 8)), None)
        if strange is not None:
            raise ValueError(f"has {len(strange)} columns, not 8")
        films, seconds, *corners, labels, last = zip(*map(_with_last, cells), strict=True)
        corners = [
            _numbers(texts, name)
            for texts, name in zip(corners, ("x1", "y1", "x2", "y2"), strict=True)
        ]
        frames = [self.key_frames[cells] for cells in zip(films, seconds, strict=True)]
        boxes = detection_metrics.Boxes(
            frames,
            np.stack(corners, axis=1)[:, [1, 0, 3, 2]],
            _label_ids(labels),
            _numbers(last, self._last_column),
        )
        if self._last_column != "score" and (boxes.scores % 1).any():
            raise ValueError(
                f"the {self._last_column} is no whole number; is this a detections file?"
            )
        turned = (boxes.corners[:, :2] > boxes.corners[:, 2:]).any()
        if self._last_column != "score" and turned:
            raise ValueError("the box ends before it begins: x1 > x2 or y1 > y2")
        return np.array(lines), boxes


def _with_last(row):
    return row if len(row) == 8 else [*row, "1"]


def _numbers(texts, name):
    try:
        values = np.fromiter(map(float, texts), float, len(texts))
    except ValueError:
        values = np.full(1, np.nan)
    if not np.isfinite(values).all():
        raise ValueError(f"{name} {texts[0]!r} is not a number")
    return values


def _label_ids(texts):
    try:
        return np.fromiter(map(int, texts), np.int64, len(texts))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"label id {texts[0]!r} is not a whole number") from error


def _table(rows: _Rows, *, label_ids: Sequence[int], excluded: Collection[KeyTime]) -> Table:
    boxes, times = rows.boxes, rows.key_frames.times
    ids, order = np.unique(np.asarray(label_ids), return_index=True)
    places = np.minimum(np.searchsorted(ids, boxes.labels), len(ids) - 1)
    known = ids[places] == boxes.labels
    left_out = np.array([time in excluded for time in times], bool)[boxes.frames]
    kept = known & ~left_out
    outside = (boxes.corners < 0) | (boxes.corners > 1)
    others = np.unique(boxes.labels[~known])
    named = [str(label) for label in others[:_FAULTS_SHOWN]]
    named += ["…"] if len(others) > _FAULTS_SHOWN else []
    notes = [
        (~known, f"have labels that the action list has not ({', '.join(named)}), left out"),
        (known & left_out, "are on excluded key frames, left out"),
        (kept & ~boxes.have_area, "have boxes of no area, which match nothing"),
        (
            kept & outside.any(axis=1),
            "have boxes that reach outside the frame, counted as they are (corners are shares of "
            "width and height, not pixels)",
        ),
    ]
    boxes = dataclasses.replace(boxes, labels=order[places])
    said = tuple(_note(rows, mask, what) for mask, what in notes if mask.any())
    return Table(boxes.take(kept), len(rows.lines), said)


def _note(rows, mask, what):
    first = rows.lines[np.flatnonzero(mask)[0]]
    count = np.count_nonzero(mask)
    return f"{rows.path}: {count} of {len(mask)} rows {what}; the first is line {first}"


def write_detections(
    path: str,
    detections: detection_metrics.Boxes,
    *,
    key_times: Sequence[KeyTime],
    label_ids: Sequence[int],
    setting: str = "--output",
) -> None:
    """Writes what the official evaluator and `read_detections` read; float32 survives unchanged.

    Args:
      path: of the csv file.
      detections: corners as shares of height and width.
      key_times: the film and the seconds of each frame number.
      label_ids: the action list's id of each class index.
      setting: what the user names the file by, see `outputs.whole_file`.

    Raises:
      UserError: the file cannot be written.
    """
    columns = (detections.frames, detections.corners, detections.labels, detections.scores)
    with outputs.whole_file(path, setting=setting) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        writer = csv.writer(text, lineterminator="\n")
        for frame, (ymin, xmin, ymax, xmax), label, score in zip(*columns, strict=True):
            film, seconds = key_times[frame]
            corners = (f"{corner:.9g}" for corner in (xmin, ymin, xmax, ymax))
            writer.writerow(
                [film, _seconds_text(seconds), *corners, label_ids[label], f"{score:.9g}"]
            )
        text.detach()


def _seconds_text(seconds):
    """As AVA writes it: 0902; what the official evaluator does not know, with its fraction."""
    return f"{int(seconds):04d}" if seconds == int(seconds) else repr(float(seconds))


def _text(path: str | os.PathLike[str]) -> str:
    try:
        return filesystems.openable_path(path).read_bytes().decode("utf-8-sig")
    except Exception as error:
        if not (filesystems.is_fault(error) or isinstance(error, UnicodeDecodeError)):
            raise
        reason = getattr(error, "message", error)  # TensorFlow's, without its own place.
        raise errors.UserError(f"{path}: cannot be read: {reason}.") from error


def _numbered_rows(path: str | os.PathLike[str], text: str) -> Iterator[tuple[int, list[str]]]:
    """Yields the rows of a csv file's text, each with its number from 1."""
    number = 0
    try:
        for number, row in enumerate(csv.reader(io.StringIO(text)), start=1):
            yield number, row
    except csv.Error as error:
        raise errors.UserError(f"{path}: row {number + 1} cannot be read: {error}.") from error


def _faults(rows, take: Callable) -> list[str]:
    """Calls a function with each row; returns, for those that it refuses, the line and why."""
    found = []
    for line, row in rows:
        try:
            take(row)
        except ValueError as error:
            found.append(f"line {line} ({','.join(row)}): {error}")
    return found


def _refuse(path, faults) -> None:
    if faults:
        more = ["…"] if len(faults) > _FAULTS_SHOWN else []
        shown = "\n  ".join([*faults[:_FAULTS_SHOWN], *more])
        raise errors.UserError(f"{path}: {len(faults)} rows cannot be understood:\n  {shown}")
