# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Chooses a part of each class: to hold out for testing, or to train with few labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from official_cvrl import balance, errors
from tfrecords_tools import annotations


def hold_out(found: annotations.Annotations, *, fraction: float) -> annotations.Annotations:
    """Moves a part of each class from the only split into a split `test`.

    Which videos are held out depends on their names alone, so it is the same on every machine,
    and adding videos moves few of the old ones.

    Raises:
      UserError: there are several splits already, or `fraction` is not between 0 and 1.
    """
    if not 0 < fraction < 1:
        raise errors.UserError(f"--test_fraction={fraction} must lie between 0 and 1.")
    if len(found.splits) > 1 or "test" in found.splits:
        raise errors.UserError(
            f"--test_fraction={fraction}: the videos are split already ({', '.join(found.splits)})."
        )
    ((name, split),) = found.splits.items()
    # Parts of one video must not stand on both sides, so whole files are held out; a file that
    # repeats another becomes no record, so it stands for nothing on either side.
    files_of: dict[tuple[str, ...], set[str]] = {}
    labels_of = {clip.data_path: clip.labels for clip in split.clips if not clip.same_as}
    for data_path, labels in labels_of.items():
        files_of.setdefault(labels, set()).add(data_path)
    held_out = {file for files in files_of.values() for file in _held_out(files, fraction)}
    train = tuple(clip for clip in split.clips if clip.data_path not in held_out)
    test = tuple(clip for clip in split.clips if clip.data_path in held_out)
    splits = {name: annotations.Split(train, split.refused), "test": annotations.Split(test)}
    return dataclasses.replace(
        found, splits=splits, settings={**found.settings, "test_fraction": fraction}
    )


def _held_out(files: set[str], fraction: float) -> list[str]:
    count = max(1, round(len(files) * fraction)) if len(files) > 1 else 0
    return sorted(files, key=balance.stable_order)[:count]


def keep_share(
    found: annotations.Annotations, *, fraction: float, seed: int
) -> annotations.Annotations:
    """Keeps a share of each class of split `train`, or of the only split there is.

    Each class keeps at least one video; of those with the same content, only the first can be
    kept. Which ones depends on the records' names and the seed
    alone, so it is the same on every machine, and a smaller share lies within a larger one. A video
    of several classes is kept if one of them keeps it.

    Raises:
      UserError: `fraction` is not between 0 and 1, or there are several splits and no `train`.
    """
    if not 0 < fraction < 1:
        raise errors.UserError(f"--subset={fraction} must lie between 0 and 1.")
    name = next(iter(found.splits)) if len(found.splits) == 1 else annotations.DEFAULT_SPLIT
    if name not in found.splits:
        raise errors.UserError(
            f"--subset={fraction}: choose one of the splits {', '.join(found.splits)} with --split."
        )
    split = found.splits[name]
    kept = _kept(split.clips, fraction=fraction, seed=seed)
    clips = tuple(clip for clip in split.clips if clip.example_id in kept)
    return dataclasses.replace(
        found,
        splits={**found.splits, name: dataclasses.replace(split, clips=clips)},
        settings={**found.settings, "subset": fraction, "subset_seed": seed},
    )


def _kept(clips: Sequence[annotations.Clip], *, fraction: float, seed: int) -> set[str]:
    names_of: dict[str, set[str]] = {}
    for clip in clips:
        if clip.same_as:  # It becomes no record, and would be one of the few of its class.
            continue
        for label in clip.classes or ("",):
            names_of.setdefault(label, set()).add(clip.example_id)
    return balance.kept(names_of, fraction=fraction, seed=seed)
