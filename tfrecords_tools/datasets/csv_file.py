# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Reads a table of videos: a csv file with a header."""

from __future__ import annotations

import csv
import math
import os
import pathlib
from collections.abc import Sequence

from official_cvrl import errors
from tfrecords_tools import annotations


def read(
    table: str | os.PathLike[str],
    *,
    videos: str | os.PathLike[str],
    split: str | None = None,
) -> annotations.Annotations:
    """Reads a csv file with a header.

    Columns: `path` (relative to the videos' folder, or absolute); optionally `start` and `end` in
    seconds, `label` (several are separated by `|`), and `split`.

    Args:
      table: the csv file.
      videos: the videos' folder.
      split: what to call the split, or which rows to take when there is a column `split`.

    Raises:
      UserError: no such file, no column `path`, unknown columns or one twice, or no rows.
    """
    root = annotations.videos_folder(videos)
    rows = _read_rows(table)
    by_split: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_split.setdefault(row.get("split") or split or annotations.DEFAULT_SPLIT, []).append(row)
    found = {name: _read_clips(of_split, root) for name, of_split in sorted(by_split.items())}
    label_names = annotations.sorted_labels(found.values())
    if split is not None and split not in found:
        raise errors.UserError(f"--split={split}: {table} has only splits {', '.join(found)}.")
    return annotations.Annotations(found if split is None else {split: found[split]}, label_names)


_COLUMNS = ("path", "start", "end", "label", "split")
_LOST = ""  # No column is called so.


def _read_rows(table: str | os.PathLike[str]) -> list[dict[str, str]]:
    try:
        with open(table, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            names = [name.strip() for name in reader.fieldnames or ()]
            if "path" not in names or set(names) - set(_COLUMNS) or len(set(names)) < len(names):
                raise errors.UserError(
                    f"--annotations={table}: the first line must name the columns, path and "
                    f"optionally {', '.join(_COLUMNS[1:])}, each once; it is {','.join(names)!r}."
                    f"{_other_separator(names)}"
                )
            reader.fieldnames = names
            rows = [_cells(row, names, line=reader.line_num) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise errors.UserError(
            f"--annotations={table}: cannot be read: {errors.words(error)}."
        ) from error
    if not rows:
        raise errors.UserError(f"--annotations={table}: there are no rows after the header.")
    return rows


def _cells(row: dict, names: Sequence[str], *, line: int) -> dict[str, str]:
    """Returns a row's cells by column; as `_LOST`, what to tell of those that have no column."""
    cells = {name: (row[name] or "").strip() for name in names}
    lost = [cell.strip() for cell in row.get(None, ()) if cell.strip()]
    if lost:
        told = f"line {line} has cells beyond the {len(names)} columns: {','.join(lost)}"
        cells[_LOST] = f"{told}; put quotation marks around a cell that holds commas"
    return cells


def _other_separator(names: Sequence[str]) -> str:
    for separator, word in (("\t", "tabs"), (";", "semicolons")):
        if any(separator in name for name in names):
            return f" Separate columns by commas; these are {word}."
    return ""


def _read_clips(rows: Sequence[dict[str, str]], root: pathlib.Path) -> annotations.Split:
    clips: dict[str, annotations.Clip] = {}
    refused = []
    for row in rows:
        try:
            clip = _read_clip(row, root)
        except ValueError as error:
            refused.append(annotations.Refused(row["path"], str(error)))
            continue
        if clip.example_id in clips:
            refused.append(
                annotations.Refused(row["path"], "the same video and times stand in an earlier row")
            )
        else:
            clips[clip.example_id] = clip
    return annotations.Split(tuple(clips.values()), tuple(refused))


def _read_clip(row: dict[str, str], root: pathlib.Path) -> annotations.Clip:
    if _LOST in row:
        raise ValueError(row[_LOST])
    if not row["path"]:
        raise ValueError("the row has no path")
    start_us, end_us = _time(row.get("start"), "start") or 0, _time(row.get("end"), "end")
    if end_us is not None and end_us <= start_us:
        raise ValueError(f"end {row['end']} is not after start {row.get('start') or 0}")
    labels = tuple(label.strip() for label in row.get("label", "").split("|") if label.strip())
    return annotations.Clip(os.fspath(root / row["path"]), row["path"], labels, start_us, end_us)


def _time(text: str | None, column: str) -> int | None:
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{column} {text!r} is not a number of seconds")
    return round(seconds * annotations.MICROSECONDS)
