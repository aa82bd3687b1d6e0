# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Reads a folder of videos, with a folder per class or without classes."""

from __future__ import annotations

import dataclasses
import os
import pathlib

from official_cvrl import errors
from tfrecords_tools import annotations

_SPLIT_FOLDERS = ("train", "val", "valid", "validate", "validation", "test")


def read(
    videos: str | os.PathLike[str], *, split: str | None = None, unlabelled: bool = False
) -> annotations.Annotations:
    """Reads a folder of videos.

    A folder may hold one folder per class, or videos alone (no labels), or either of these in
    each of `train`, `val` and `test`. Every file but hidden ones is an input.

    Args:
      videos: the folder.
      split: what to call the split, or which of the split folders to take.
      unlabelled: take folders for mere folders, not for classes.

    Raises:
      UserError: no such folder, nothing in it, or no such split folder.
    """
    root = annotations.videos_folder(videos)
    folders = [path for path in sorted(root.iterdir()) if path.is_dir() and path.name[0] != "."]
    if folders and all(folder.name in _SPLIT_FOLDERS for folder in folders):
        names = [folder.name for folder in folders]
        if split is not None and split not in names:
            raise errors.UserError(
                f"--split={split}: {root} has split folders, but only {', '.join(names)}."
            )
        found = {name: _read_tree(root / name, root=root, unlabelled=unlabelled) for name in names}
        home = split or (
            annotations.DEFAULT_SPLIT if annotations.DEFAULT_SPLIT in names else names[0]
        )
        found[home] = dataclasses.replace(
            found[home], refused=(*found[home].refused, *_beside_splits(root))
        )
        label_names = annotations.sorted_labels(found.values())
        return annotations.Annotations(
            found if split is None else {split: found[split]}, label_names
        )
    inputs = _read_tree(root, root=root, unlabelled=unlabelled)
    return annotations.Annotations(
        {split or annotations.DEFAULT_SPLIT: inputs}, annotations.sorted_labels([inputs])
    )


def _read_tree(folder: pathlib.Path, *, root: pathlib.Path, unlabelled: bool) -> annotations.Split:
    files = sorted(annotations.files_below(folder))
    if not files:
        raise errors.UserError(f"--videos={folder}: there are no files in it.")
    has_classes = not unlabelled and any(path.parent != folder for path in files)
    clips, refused = [], []
    for path in files:
        data_path = annotations.printable(path.relative_to(root).as_posix())
        if not annotations.may_be_video(path):
            refused.append(_no_video(path, data_path))
        elif has_classes and path.parent == folder:
            refused.append(
                annotations.Refused(data_path, "lies beside the class folders, so has no class")
            )
        else:
            label = annotations.printable(path.relative_to(folder).parts[0])
            clips.append(
                annotations.Clip(os.fspath(path), data_path, labels=(label,) if has_classes else ())
            )
    return annotations.Split(tuple(clips), tuple(refused))


def _no_video(path: pathlib.Path, data_path: str) -> annotations.Refused:
    what = path.suffix if path.suffix else "a shard of records"
    return annotations.Refused(data_path, f"not a video by its name ({what})", False)


def _beside_splits(root: pathlib.Path) -> list[annotations.Refused]:
    """Tells of the files that lie beside the split folders."""
    files = [path for path in sorted(root.iterdir()) if path.is_file() and path.name[0] != "."]
    reason = "lies beside the split folders, so is in no split"
    return [
        annotations.Refused(annotations.printable(path.name), reason)
        if annotations.may_be_video(path)
        else _no_video(path, annotations.printable(path.name))
        for path in files
    ]
