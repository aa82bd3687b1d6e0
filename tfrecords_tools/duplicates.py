# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Finds videos whose content is in the data set already, under another name."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterable, Iterator, Sequence

from official_cvrl import filesystems
from tfrecords_tools import annotations, checksums


def mark(found: annotations.Annotations) -> annotations.Annotations:
    """Marks, within each split and label, every file that repeats an earlier one.

    The same video under two labels stays: which one is right, nobody here can know. Only files of
    equal size are read.
    """
    splits = {
        name: dataclasses.replace(split, clips=tuple(_marked(split.clips)))
        for name, split in found.splits.items()
    }
    return dataclasses.replace(found, splits=splits)


def _marked(clips: Sequence[annotations.Clip]) -> Iterator[annotations.Clip]:
    first: dict[Hashable, annotations.Clip] = {}
    twins = _equally_large(clips)
    for clip in clips:
        key = _content(clip) if clip.path in twins else clip.path
        same = first.setdefault((key, clip.labels, clip.start_us, clip.end_us), clip)
        repeats = same.path != clip.path
        yield dataclasses.replace(clip, same_as=same.data_path) if repeats else clip


def _equally_large(clips: Iterable[annotations.Clip]) -> set[str]:
    """Returns the files that have the size of another one; empty ones fail for a better reason."""
    by_size: dict[int, set[str]] = {}
    for clip in clips:
        by_size.setdefault(clip.source_bytes(), set()).add(clip.path)
    return {
        path for size, paths in by_size.items() if size > 0 and len(paths) > 1 for path in paths
    }


def _content(clip: annotations.Clip) -> str:
    try:
        return checksums.sha256(filesystems.openable_path(clip.path))
    except Exception as error:
        if not filesystems.is_fault(error):
            raise
        return clip.path  # What cannot be read is told when it is converted.
