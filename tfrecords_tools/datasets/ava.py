# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Reads AVA v2.1 and v2.2: one clip around each key frame, with everyone's box in it."""

from __future__ import annotations

import collections
import dataclasses
import math
import os
import pathlib
from collections.abc import Mapping, Sequence

from official_cvrl import ava_files, errors
from tfrecords_tools import annotations, key_frames
from tfrecords_tools.datasets import ava_tables, files

VERSIONS = ("2.2", "2.1")
SPLITS = ("train", "val")
LEAST_SHORT_SIDE = 256
# Inputs are 32 frames at stride 2 around the key frame: 2.7 s at 24 frames a second, and a little.
CLIP_SECONDS = 3.0

_LONGEST_CLIP = 60.0


def read(
    lists: str | os.PathLike[str],
    *,
    videos: str | os.PathLike[str],
    split: str | None = None,
    version: str | None = None,
    detected_boxes: str | os.PathLike[str] | None = None,
    clip_seconds: float | None = None,
    film_start: float | None = None,
) -> annotations.Annotations:
    """Reads the official files, and optionally the boxes that a detector drew.

    Detected boxes become persons without labels, with a score, beside the ground truth; a key frame
    for which there are only detected ones becomes a record, too.

    Args:
      lists: the folder of `ava_train_v2.2.csv`, `ava_train_excluded_timestamps_v2.2.csv`, ….
      videos: the folder of the films, named by id, with any suffix.
      split: `train` or `val`; None for both.
      version: `2.2`, which None means, or `2.1`.
      detected_boxes: a csv file.
      clip_seconds: how long a clip is, with its key frame in the middle; None for 3.
      film_start: which second of the film its file begins with; None for 0, the whole film.

    Raises:
      UserError: a file is missing or cannot be understood, or an argument is out of range.
    """
    chosen = {
        "version": version or VERSIONS[0],
        "clip_seconds": CLIP_SECONDS if clip_seconds is None else clip_seconds,
        "film_start": film_start or 0.0,
    }
    root, folder = annotations.videos_folder(videos), pathlib.Path(lists)
    _check(split, **chosen)
    films = Films(
        root, files.by_stem(root), seconds=chosen["clip_seconds"], starts_at=chosen["film_start"]
    )
    label_names = ava_tables.read_actions(folder, version=chosen["version"])
    tables = {
        name: ava_tables.read_persons(
            folder / f"ava_{name}_v{chosen['version']}.csv", label_names=label_names
        )
        for name in ((split,) if split else SPLITS)
    }
    if detected_boxes is not None:
        _add_detections(tables, ava_tables.read_detections(pathlib.Path(detected_boxes)))
    splits = {
        name: _split(name, table, films, folder=folder, version=chosen["version"])
        for name, table in tables.items()
    }
    return annotations.Annotations(splits, label_names, settings=chosen)


def _check(split: str | None, *, version: str, clip_seconds: float, film_start: float) -> None:
    if split not in (None, *SPLITS):
        raise errors.UserError(f"--split={split}: AVA has {' and '.join(SPLITS)}.")
    if version not in VERSIONS:
        raise errors.UserError(f"--version={version}: AVA has {', '.join(VERSIONS)}.")
    check_clip_seconds(clip_seconds)
    if not 0 <= film_start < math.inf:
        raise errors.UserError(f"--film_start={film_start} is not a number of seconds.")


def check_clip_seconds(clip_seconds: float) -> None:
    """Refuses, with UserError, what cannot be the length of a clip."""
    if not 0 < clip_seconds <= _LONGEST_CLIP:
        raise errors.UserError(
            f"--clip_seconds={clip_seconds} must be above 0 and at most {_LONGEST_CLIP:g}."
        )


def _add_detections(tables: Mapping[str, ava_tables.Table], detected: ava_tables.Table) -> None:
    """Puts detected boxes beside the ground truth of the split that has the film."""
    table_of = {film: table for table in tables.values() for film, _ in table.persons}
    strangers = collections.Counter()
    for key, persons in detected.persons.items():
        if key[0] not in table_of:
            strangers[key[0]] += len(persons)
            continue
        table = table_of[key[0]]
        there = table.persons.get(key, ())
        # Boxes that differ in nothing cannot be told apart in a record.
        taken = {person.corners for person in there if person.track is None}
        again = [person for person in persons if person.corners in taken]
        table.refused += [_refused(key, "a detected box is one of the ground truth") for _ in again]
        table.persons[key] = (*there, *(one for one in persons if one.corners not in taken))
    first = next(iter(tables.values()))
    for row in detected.refused:
        table_of.get(row.data_path, first).refused.append(row)
    for film, count in strangers.items():
        reason = f"{count} detected boxes, but the film is not in {' or '.join(tables)}"
        first.refused.append(annotations.Refused(film, reason, fault=False))


def _split(
    name: str, table: ava_tables.Table, films: Films, *, folder: pathlib.Path, version: str
) -> annotations.Split:
    included = ava_tables.read_included(folder, version=version)
    excluded = ava_files.read_exclusions(folder / f"ava_{name}_excluded_timestamps_v{version}.csv")
    clips, refused = [], list(table.refused)
    for key, persons in table.persons.items():
        if key in excluded:
            refused.append(_refused(key, "an excluded timestamp", fault=False))
        elif key[1] not in included:
            refused.append(_refused(key, "not among the included timestamps"))
        elif key[1] < films.starts_at:
            refused.append(_refused(key, f"before --film_start={films.starts_at:g}"))
        else:
            clips.append(films.clip(key, persons))
    return annotations.Split(tuple(clips), tuple(refused))


def _refused(key: ava_files.KeyTime, reason: str, *, fault: bool = True) -> annotations.Refused:
    film, seconds = key
    return annotations.Refused(film, f"the key frame at {seconds:g} s: {reason}", fault)


@dataclasses.dataclass(frozen=True)
class Films:
    """Where the films are, and what is cut out of them.

    Attributes:
      root: the videos' folder.
      paths: the files by name.
      seconds: how long a clip is.
      starts_at: which second of a film its file begins with.
    """

    root: pathlib.Path
    paths: Mapping[str, list[str]]
    seconds: float
    starts_at: float

    def clip(
        self, key: ava_files.KeyTime, persons: Sequence[annotations.Person]
    ) -> annotations.Clip:
        """Returns the clip around a key frame; of a film that is missing, with the path it had."""
        film, seconds = key
        found = self.paths.get(film)
        path = files.choose(found) if found else os.fspath(self.root / film)
        time_us = _microseconds(seconds - self.starts_at)
        start_us, end_us = key_frames.around(time_us, seconds=self.seconds)
        return annotations.Clip(
            path,
            annotations.printable(os.path.relpath(path, self.root)),
            start_us=start_us,
            end_us=end_us,
            name=f"{film}@{annotations.seconds(_microseconds(seconds))}",
            key_frame=annotations.KeyFrame(time_us, tuple(persons)),
        )


def _microseconds(seconds: float) -> int:
    return round(seconds * annotations.MICROSECONDS)
