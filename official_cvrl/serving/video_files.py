# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Which videos a person means: files, folders of them, lists of them."""

import csv
import os
from collections.abc import Iterator, Sequence

from official_cvrl import errors
from tfrecords_tools import annotations


def find(paths: Sequence[str]) -> Sequence[str]:
    """Returns the video files that some paths name, each once.

    Args:
        paths: video files; folders, in which what is no video by its name is passed over; .csv
            files with a column `path`: inside the folder of the file, or whole paths.

    Raises:
        UserError: a path leads nowhere, a list has no such column, or there are no videos.
    """
    files = list(dict.fromkeys(file for path in paths for file in _files(path)))
    if not files:
        given = f"No videos in {', '.join(paths)}" if paths else "No videos given"
        raise errors.UserError(
            f"{given}; name files, folders or .csv lists of them with --videos=PATH."
        )
    return files


def _files(path):
    if os.path.isdir(path):
        return sorted(_in_folder(path))
    if not os.path.exists(path):
        raise errors.UserError(f"No such video, folder or list: {path!r}.")
    return _in_list(path) if path.lower().endswith(".csv") else [path]


def _in_folder(path) -> Iterator[str]:
    for folder, _, names in os.walk(path):
        for name in names:
            if not name.startswith(".") and annotations.may_be_video(name):
                yield os.path.join(folder, name)


def _in_list(path):
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            if "path" not in (table.fieldnames or ()):
                raise errors.UserError(
                    f"{path}: the first line must name a column path; it names "
                    f"{', '.join(table.fieldnames or ()) or 'nothing'}."
                )
            return [_listed(row["path"], path) for row in table if row["path"]]
    except (OSError, ValueError, csv.Error) as error:
        raise errors.UserError(f"{path} cannot be read as a list of videos: {error}.") from error


def _listed(video, table):
    if not os.path.isabs(video) and os.path.normpath(video).split(os.sep)[0] == os.pardir:
        raise errors.UserError(
            f"{table}: {video!r} leads out of the folder of the list; write the whole path, if it "
            "is meant."
        )
    return os.path.join(os.path.dirname(table), video)
