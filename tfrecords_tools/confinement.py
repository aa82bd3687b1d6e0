# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Keeps what annotation files name inside the folders that the command names.

Annotations may come from anybody; a row such as `../../private.mp4` would otherwise put a video
into the records that was never meant to be there.
"""

from __future__ import annotations

import dataclasses
import os
import posixpath

from official_cvrl import errors, filesystems
from tfrecords_tools import annotations

_OUTSIDE = "lies outside --videos; give a --videos that holds it, if it is meant"


def confine(
    found: annotations.Annotations, *, videos: str | os.PathLike[str]
) -> annotations.Annotations:
    """Returns the annotations with the clips outside the videos' folder refused, by name.

    Links inside the folder are the user's own, and lead where they lead.

    Raises:
      UserError: a split's name would write its shards outside the output's folder.
    """
    for name in found.splits:
        if not is_split_name(name):
            raise errors.UserError(f"split {name!r} cannot be part of a file name.")
    splits = {name: _confine_split(split, videos) for name, split in found.splits.items()}
    return dataclasses.replace(found, splits=splits)


def is_split_name(name: str) -> bool:
    """Tells whether shards can be named after a split."""
    return bool(name) and not set("/\\\0") & set(name) and not name.startswith(".")


def is_within(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> bool:
    """Tells whether a path is a folder or leads to something inside; links count for nothing."""
    path, folder = _plain(path), _plain(folder)
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _confine_split(split, root):
    inside = tuple(clip for clip in split.clips if is_within(clip.path, root))
    refused = tuple(
        annotations.Refused(clip.data_path, _OUTSIDE)
        for clip in split.clips
        if not is_within(clip.path, root)
    )
    return annotations.Split(inside, (*split.refused, *refused)) if refused else split


def _plain(path):
    """Returns a path without `..`, from the root of its file system."""
    scheme = filesystems.scheme(path)
    if not scheme:
        return os.path.abspath(path)
    return f"{scheme}:{posixpath.normpath(os.fspath(path)[len(scheme) + 1 :])}"
