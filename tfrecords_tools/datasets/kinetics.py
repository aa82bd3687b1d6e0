# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Reads Kinetics-400, -600 and -700 by the official csv files."""

from __future__ import annotations

import csv
import math
import os
import pathlib
from collections.abc import Iterator, Mapping

from official_cvrl import errors
from tfrecords_tools import annotations, official_labels
from tfrecords_tools.datasets import files

VERSIONS = ("400", "600", "700")

# The lists of different years spell it differently; the configurations of this project say `val`.
_SAME_SPLIT = {"validate": "val", "validation": "val"}
_NEEDED = ("youtube_id", "time_start", "time_end")


def read(
    tables: str | os.PathLike[str],
    *,
    videos: str | os.PathLike[str],
    split: str | None = None,
    version: str | None = None,
) -> annotations.Annotations:
    """Reads official csv files: `label,youtube_id,time_start,time_end,split` and others after it.

    Files are found by name anywhere below `videos`, with any suffix: `ID_000036_000046` or
    `ID_36_46` holds the clip alone, `ID` the whole video or the clip, which its length tells.
    Records are named `ID_000036_000046` either way.

    Args:
      tables: a csv file, or a folder of them.
      videos: the videos' folder.
      split: which of the splits that the files name, `validate` being `val`; None for all.
      version: `400`, `600` or `700` for the committed label map; None for the sorted labels of
        the files, which are the same where all classes occur.

    Raises:
      UserError: a file cannot be read or has other columns, or there is no such split.
    """
    root = annotations.videos_folder(videos)
    split = _SAME_SPLIT.get(split, split)
    if version not in (None, *VERSIONS):
        raise errors.UserError(f"--version={version}: Kinetics has {', '.join(VERSIONS)}.")
    known = official_labels.read(f"kinetics{version}") if version else ()
    rows = [row for path in _tables(tables) for row in _rows(path)]
    found_files = files.by_stem(root)
    by_split: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_split.setdefault(row["split"], []).append(row)
    if split is not None and split not in by_split:
        raise errors.UserError(f"--split={split}: {tables} has only splits {', '.join(by_split)}.")
    found = {
        name: _read_split(of_split, root, found_files=found_files, known=known)
        for name, of_split in by_split.items()
    }
    return annotations.Annotations(
        found if split is None else {split: found[split]},
        known or annotations.sorted_labels(found.values()),
        settings={"version": version} if version else {},
    )


def _tables(path: str | os.PathLike[str]) -> list[pathlib.Path]:
    folder = pathlib.Path(path)
    found = sorted(folder.glob("*.csv")) if folder.is_dir() else [folder]
    if not found:
        raise errors.UserError(f"--annotations={path}: there is no csv file in it.")
    return found


def _rows(path: pathlib.Path) -> Iterator[dict[str, str]]:
    """Yields the rows of a file, each with a split: that of its column, or the file's name."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            if set(_NEEDED) - set(reader.fieldnames or ()):
                raise errors.UserError(
                    f"--annotations={path}: the first line must name the columns "
                    f"{', '.join(_NEEDED)}, and label and split where there are; it is "
                    f"{','.join(reader.fieldnames or ())!r}."
                )
            for row in reader:
                cells = {
                    name: (row.get(name) or "").strip() for name in (*_NEEDED, "label", "split")
                }
                split = cells["split"] or path.stem
                yield {**cells, "split": _SAME_SPLIT.get(split, split)}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise errors.UserError(
            f"--annotations={path}: cannot be read: {errors.words(error)}."
        ) from error


def _read_split(
    rows: list[dict[str, str]],
    root: pathlib.Path,
    *,
    found_files: Mapping[str, list[str]],
    known: tuple[str, ...],
) -> annotations.Split:
    clips: dict[str, annotations.Clip] = {}
    refused = []
    for row in rows:
        try:
            clip = _clip(row, root, found_files=found_files, known=set(known))
            if clip.example_id in clips:
                raise ValueError(f"{clip.example_id} stands in an earlier row")
        except ValueError as error:
            refused.append(annotations.Refused(row["youtube_id"], str(error)))
        else:
            clips[clip.example_id] = clip
    return annotations.Split(tuple(clips.values()), tuple(refused))


def _clip(
    row: dict[str, str],
    root: pathlib.Path,
    *,
    found_files: Mapping[str, list[str]],
    known: set[str],
) -> annotations.Clip:
    if not row["youtube_id"]:
        raise ValueError("the row has no youtube_id")
    start, end = _time(row, "time_start"), _time(row, "time_end")
    if end <= start:
        raise ValueError(f"time_end {row['time_end']} is not after time_start {row['time_start']}")
    label = row["label"]
    if known and label and label not in known:
        raise ValueError(f"unknown label {label!r}")
    whole = row["youtube_id"]
    name = f"{whole}_{int(start):06d}_{int(end):06d}"
    stem = files.first_of(found_files, (name, f"{whole}_{int(start)}_{int(end)}", whole))
    path = files.choose(found_files[stem], label=label) if stem else os.fspath(root / label / name)
    is_named_by_times = stem not in (None, whole)
    return annotations.Clip(
        path,
        annotations.printable(os.path.relpath(path, root)),
        labels=(label,) if label else (),
        start_us=0 if is_named_by_times else round(start * annotations.MICROSECONDS),
        end_us=None if is_named_by_times else round(end * annotations.MICROSECONDS),
        name=name,
        may_be_cut=stem == whole,
    )


def _time(row: dict[str, str], column: str) -> float:
    try:
        seconds = float(row[column])
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{column} {row[column]!r} is not a number of seconds")
    return seconds
