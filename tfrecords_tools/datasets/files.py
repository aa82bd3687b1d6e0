# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Finds videos by their names, and reads the lines and rows of official lists."""

from __future__ import annotations

import csv
import os
import pathlib
from collections.abc import Mapping, Sequence

from official_cvrl import errors
from tfrecords_tools import annotations


def lines(path: pathlib.Path, *, needs: str) -> list[str]:
    """Returns the lines of a text file that are not empty, without the spaces around them.

    Args:
      path: the file.
      needs: for the error, what `--annotations` should be.

    Raises:
      UserError: the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise errors.UserError(f"{path}: cannot be read: {errors.words(error)}. {needs}") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def rows(path: pathlib.Path, *, needs: str) -> list[list[str]]:
    """Returns the rows of a csv file that has no header, each without the spaces around its cells.

    Raises:
      UserError: the file cannot be read.
    """
    try:
        # A list and not a reader, so that a broken file is told before anything is made of it.
        parsed = list(csv.reader(lines(path, needs=needs)))
    except csv.Error as error:
        raise errors.UserError(f"{path}: cannot be read: {errors.words(error)}. {needs}") from error
    return [[cell.strip() for cell in row] for row in parsed]


def in_class_folder_or_beside(root: pathlib.Path, label: str, name: str) -> pathlib.Path:
    """Returns where a video is: in the folder of its class, or, if only there, in the root."""
    in_class_folder, beside = root / label / name, root / name
    return beside if not in_class_folder.exists() and beside.exists() else in_class_folder


def by_stem(root: pathlib.Path) -> dict[str, list[str]]:
    """Returns the paths of all files below a folder that may be videos, by name without suffix."""
    found: dict[str, list[str]] = {}
    for path in sorted(annotations.files_below(root)):
        if annotations.may_be_video(path):
            found.setdefault(path.stem, []).append(os.fspath(path))
    return found


def choose(paths: Sequence[str], *, label: str = "") -> str:
    """Returns which of several files of one name to take: that in the folder of its class."""
    wanted = _plain(label)
    return next((p for p in paths if _plain(pathlib.PurePath(p).parent.name) == wanted), paths[0])


def _plain(name: str) -> str:
    """Returns a class name as folders spell it, in spite of spaces, quotes and capitals."""
    return "".join(character for character in name.lower() if character.isalnum())


def first_of(found: Mapping[str, list[str]], stems: Sequence[str]) -> str | None:
    """Returns the first of some names that there is a file of, or None."""
    return next((stem for stem in stems if stem in found), None)
