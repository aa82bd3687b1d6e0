# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Which videos a person means: files, folders of them, lists of them."""

import csv
import dataclasses
import os
import pathlib
from collections.abc import Iterator, Sequence

from official_cvrl import amounts, errors, filesystems
from official_cvrl.serving import rows
from tfrecords_tools import annotations


@dataclasses.dataclass(frozen=True)
class Found:
    """What some paths name.

    Attributes:
        videos: paths of files, each once.
        faults: folders that cannot be read, and lines of lists that name no video.
        num_others: files in folders that are no videos by their names, and were passed over.
    """

    videos: Sequence[str]
    faults: Sequence[rows.Fault]
    num_others: int


def find(paths: Sequence[str]) -> Found:
    """Returns the video files that some paths name.

    Args:
        paths: video files; folders, in which what is no video by its name is passed over; .csv
            files with a column `path`: inside the folder of the file, or whole paths; a line that
            leads elsewhere is a fault. All of them on this machine's disks.

    Raises:
        UserError: a path leads nowhere, or to another file system; a list has no such column, or
            there are no videos.
    """
    faults, others = [], []
    videos = list(dict.fromkeys(file for path in paths for file in _files(path, faults, others)))
    num_others = len(set(others))
    if not videos:
        given = f"No videos in {', '.join(paths)}" if paths else "No videos given"
        reasons = [f"{fault.path}: {fault.reason}" for fault in faults[:1]]
        if others:
            reasons.append(f"{amounts.counted(num_others, 'file')} passed over for the name")
        raise errors.UserError(
            f"{'; '.join((given, *reasons))}; name files, folders or .csv lists of them with "
            "--videos=PATH."
        )
    return Found(videos, faults, num_others)


def state(path: str) -> Sequence[int]:
    """Returns a file's size in bytes and the time of its last change in ns; empty if there is none.

    As long as it is the same, so are the frames.
    """
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return found.st_size, found.st_mtime_ns


def _files(path, faults, others):
    filesystems.refuse_remote(path, option="--videos")
    if os.path.isdir(path):
        return sorted(_in_folder(path, faults, others))
    if not os.path.exists(path):
        raise errors.UserError(f"No such video, folder or list: {path!r}.")
    return list(_in_list(path, faults)) if path.lower().endswith(".csv") else [path]


def _in_folder(path, faults, others) -> Iterator[str]:
    def note(error):
        reason = f"folder cannot be read: {error.strerror}"
        faults.append(rows.Fault(os.fspath(error.filename), reason))

    for file in annotations.files_below(pathlib.Path(path), on_error=note):
        if annotations.may_be_video(file.name):
            yield os.fspath(file)
        else:
            others.append(os.fspath(file))


def _in_list(path, faults) -> Iterator[str]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            if "path" not in (table.fieldnames or ()):
                raise errors.UserError(
                    f"{path}: the first line must name a column path; it names "
                    f"{', '.join(table.fieldnames or ()) or 'nothing'}."
                )
            for row in table:
                try:
                    yield _listed(row["path"], path)
                except errors.UserError as error:
                    faults.append(rows.Fault(f"{path}:{table.line_num}", str(error)))
    except (OSError, ValueError, csv.Error) as error:
        raise errors.UserError(f"{path} cannot be read as a list of videos: {error}.") from error


def _listed(video, table):
    if not video:
        raise errors.UserError("the line has no path")
    # With the reader's credentials it would open what the writer of the list cannot.
    filesystems.refuse_remote(video, option="path")
    if not os.path.isabs(video) and os.path.normpath(video).split(os.sep)[0] == os.pardir:
        raise errors.UserError(
            f"{video!r} leads out of the folder of the list; write the whole path, if it is meant"
        )
    return os.path.join(os.path.dirname(table), video)
