# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Reads HMDB-51 by its official split files, one for each class and fold."""

from __future__ import annotations

import os
import pathlib

from official_cvrl import errors
from tfrecords_tools import annotations, official_labels
from tfrecords_tools.datasets import files

_NEEDS = (
    "--annotations must be the folder of the official split files (brush_hair_test_split1.txt, …), "
    "one for each of the 51 classes."
)
_SPLIT_OF_CODE = {"0": None, "1": "train", "2": "test"}  # 0: in neither part of this fold.


def read(
    lists: str | os.PathLike[str],
    *,
    videos: str | os.PathLike[str],
    split: str | None = None,
    fold: int = 1,
) -> annotations.Annotations:
    """Reads the official split files; videos of code 0, which a fold leaves out, are left out.

    Args:
      lists: the folder of `brush_hair_test_split1.txt` … `wave_test_split3.txt`.
      videos: the folder of the videos, in class folders or all in one.
      split: `train` or `test`; None for both.
      fold: which of the three official splits, 1 to 3.

    Raises:
      UserError: a file is missing, or a line is not understood.
    """
    root = annotations.videos_folder(videos)
    if split not in (None, "train", "test"):
        raise errors.UserError(f"--split={split}: HMDB-51 has train and test; choose with --fold.")
    label_names = official_labels.read("hmdb51")
    found: dict[str, list[annotations.Clip]] = {}
    for name in (split,) if split else ("train", "test"):
        found[name] = []
    for label in label_names:
        path = pathlib.Path(lists) / f"{label}_test_split{fold}.txt"
        for line in files.lines(path, needs=_NEEDS):
            video, of_split = _parse(line, path)
            if of_split in found:
                found[of_split].append(_clip(root, label, video))
    splits = {name: annotations.Split(tuple(clips)) for name, clips in found.items()}
    return annotations.Annotations(splits, label_names, settings={"fold": fold})


def _parse(line: str, path: pathlib.Path) -> tuple[str, str | None]:
    """Returns the file name and the split of a line; names may hold spaces."""
    name, _, code = line.rpartition(" ")
    if not name or code not in _SPLIT_OF_CODE:
        raise errors.UserError(f"{path}: {line!r} is not a video and one of 0, 1, 2.")
    return name.strip(), _SPLIT_OF_CODE[code]


def _clip(root: pathlib.Path, label: str, name: str) -> annotations.Clip:
    path = files.in_class_folder_or_beside(root, label, name)
    return annotations.Clip(os.fspath(path), f"{label}/{name}", labels=(label,))
