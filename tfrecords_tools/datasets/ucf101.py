# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Reads UCF-101 by its official split files."""

from __future__ import annotations

import os
import pathlib

from official_cvrl import errors
from tfrecords_tools import annotations
from tfrecords_tools.datasets import files

_NEEDS = (
    "--annotations must be the folder of the official split files (classInd.txt, trainlist01.txt, "
    "testlist01.txt, …)."
)


def read(
    lists: str | os.PathLike[str],
    *,
    videos: str | os.PathLike[str],
    split: str | None = None,
    fold: int = 1,
) -> annotations.Annotations:
    """Reads UCF-101 by its official split files.

    Args:
      lists: the folder of `classInd.txt`, `trainlist01.txt` … `testlist03.txt`.
      videos: the folder of the videos, in class folders or all in one.
      split: `train` or `test`; None for both.
      fold: which of the three official splits, 1 to 3.

    Raises:
      UserError: a file is missing, or a line is not understood.
    """
    root = annotations.videos_folder(videos)
    if split not in (None, "train", "test"):
        raise errors.UserError(f"--split={split}: UCF-101 has train and test; choose with --fold.")
    folder = pathlib.Path(lists)
    label_names = _classes(folder / "classInd.txt")
    found = {}
    for name in (split,) if split else ("train", "test"):
        path = folder / f"{name}list{fold:02d}.txt"
        clips = [
            _clip(line, path, root, set(label_names)) for line in files.lines(path, needs=_NEEDS)
        ]
        found[name] = annotations.Split(tuple(clips))
    return annotations.Annotations(found, label_names, settings={"fold": fold})


def _classes(path: pathlib.Path) -> tuple[str, ...]:
    names = {}
    for line in files.lines(path, needs=_NEEDS):
        number, _, name = line.partition(" ")
        if not number.isdigit() or not name:
            raise errors.UserError(f"{path}: {line!r} is not a class number and a class name.")
        names[int(number)] = name
    if sorted(names) != list(range(1, len(names) + 1)):
        raise errors.UserError(f"{path}: the class numbers are not 1 to {len(names)}.")
    return tuple(names[number] for number in sorted(names))


def _clip(line: str, path: pathlib.Path, root: pathlib.Path, classes: set[str]) -> annotations.Clip:
    data_path = line.split()[0]
    label, _, name = data_path.partition("/")
    if label not in classes or not name:
        raise errors.UserError(f"{path}: {line!r} does not name a class of classInd.txt/video.")
    path = files.in_class_folder_or_beside(root, label, name)
    return annotations.Clip(os.fspath(path), data_path, labels=(label,))
