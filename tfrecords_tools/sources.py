# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Reads the annotations of any data set by its name, as the command gives it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from official_cvrl import errors, filesystems
from tfrecords_tools import annotations, confinement, duplicates
from tfrecords_tools.datasets import ava, boxes_file, csv_file, folder, hmdb51, kinetics, ucf101

DATASETS = ("folder", "csv", "kinetics", "ucf101", "hmdb51", "ava", "boxes")

_READERS = {
    "csv": csv_file.read,
    "kinetics": kinetics.read,
    "ucf101": ucf101.read,
    "hmdb51": hmdb51.read,
    "ava": ava.read,
    "boxes": boxes_file.read,
}
# What else a data set can be asked for; all know `split`.
_OPTIONS = {
    "fold": ("ucf101", "hmdb51"),
    "version": ("kinetics", "ava"),
    "detected_boxes": ("ava",),
    "clip_seconds": ("ava", "boxes"),
    "film_start": ("ava",),
}
_ANNOTATIONS = {
    "csv": "the table",
    "kinetics": "the official csv file, or a folder of them",
    "ucf101": "the folder of the official split files",
    "hmdb51": "the folder of the official split files",
    "ava": "the folder of the official csv files",
    "boxes": "the csv file of boxes",
}
_FOLDS = (1, 2, 3)


def read(
    dataset: str,
    *,
    videos: str | os.PathLike[str],
    table: str | os.PathLike[str] | None,
    split: str | None,
    unlabelled: bool = False,
    options: Mapping[str, object],
) -> annotations.Annotations:
    """Reads the annotations of a data set; videos that they name outside its folder are refused.

    Args:
      dataset: one of `DATASETS`.
      videos: the videos' folder.
      table: the official files, or the table of `csv`; None for `folder`.
      split: which split; None for all.
      unlabelled: for `folder`, take folders for mere folders, not classes.
      options: arguments that only some data sets take; those of value None are not given.

    Raises:
      UserError: an argument does not fit the data set, a split's name is no file name, or what the
        data set's `read` raises.
    """
    if dataset not in DATASETS:
        raise errors.UserError(f"--dataset={dataset} is not one of {', '.join(DATASETS)}.")
    if split is not None and not confinement.is_split_name(split):
        raise errors.UserError(f"--split={split!r} cannot be part of a file name.")
    given = {name: value for name, value in options.items() if value is not None}
    _check_options(dataset, given)
    if dataset == "folder":
        return duplicates.mark(folder.read(videos, split=split, unlabelled=unlabelled))
    if table is None:
        raise errors.UserError(f"--dataset={dataset} needs --annotations={_ANNOTATIONS[dataset]}.")
    if filesystems.scheme(table):
        raise errors.UserError(
            f"--annotations={table}: annotations are read from a local disk; copy them to one. "
            "Videos and --output may be remote."
        )
    found = _READERS[dataset](table, videos=videos, split=split, **given)
    return confinement.confine(found, videos=videos)


def _check_options(dataset: str, given: Mapping[str, object]) -> None:
    for name, value in given.items():
        if dataset not in _OPTIONS[name]:
            raise errors.UserError(
                f"--{name}={value} is for --dataset={' or '.join(_OPTIONS[name])}, not {dataset}."
            )
    if given.get("fold", 1) not in _FOLDS:
        raise errors.UserError(f"--fold={given['fold']} is none of the official splits 1, 2, 3.")
