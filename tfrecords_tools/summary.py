# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What a conversion did, as data and in words."""

from __future__ import annotations

import collections
import dataclasses
import os
from collections.abc import Iterator, Sequence

from official_cvrl import amounts
from tfrecords_tools import results

_LISTED_FAULTS = 10
_LISTED_CLASSES = 5


@dataclasses.dataclass(frozen=True)
class SplitSummary:
    """What became of one split.

    Attributes:
      name: the split.
      num_converted: videos that are in a shard, those with lost frames included.
      num_frames: over all records.
      num_shards: files.
      num_kept: of these, how many an earlier run had written.
      bytes: over all shards.
      classes: of its records, by name.
      faults: videos that are incomplete, failed or skipped.
    """

    name: str
    num_converted: int
    num_frames: int
    num_shards: int
    num_kept: int
    bytes: int
    classes: frozenset[str]
    faults: tuple[results.VideoResult, ...]


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a conversion did.

    Attributes:
      output: the folder of the shards.
      splits: what became of each split.
      label_names: the label map.
      seconds: how long it took.
    """

    output: str
    splits: tuple[SplitSummary, ...]
    label_names: tuple[str, ...]
    seconds: float

    @property
    def num_converted(self) -> int:
        """Videos that are in a shard."""
        return sum(split.num_converted for split in self.splits)


def describe(summary: Summary) -> str:
    """Returns a summary in words, for a person."""
    videos = amounts.counted(summary.num_converted, "video")
    lines = [f"{summary.output}: {videos} in {summary.seconds:.1f} s"]
    if summary.label_names:
        lines[0] += f", {len(summary.label_names)} classes"
    else:
        lines[0] += ", no labels: enough to pre-train, not for linear evaluation"
    for split in summary.splits:
        if not split.num_converted:
            lines.append(
                f"  WARNING: there is no split {split.name!r}, since none of its videos could be "
                "converted; the same command tries again."
            )
            lines += _describe_faults(split, summary.output)
            continue
        kept = f" ({split.num_kept} kept from before)" if split.num_kept else ""
        lines.append(
            f"  {split.name}: {amounts.counted(split.num_converted, 'video')}, "
            f"{amounts.counted(split.num_frames, 'frame')}, "
            f"{amounts.counted(split.num_shards, 'shard')}{kept}, {split.bytes / 1e6:.1f} MB"
        )
        lines += _describe_faults(split, summary.output)
    return "\n".join([*lines, *_describe_unlearnt(summary.splits)])


def _describe_unlearnt(splits: Sequence[SplitSummary]) -> Iterator[str]:
    """Tells of classes that nothing can be learnt of, if the split to learn from is among these."""
    train = {label for split in splits if split.name == "train" for label in split.classes}
    for split in splits if train else ():
        if alone := sorted(split.classes - train):
            classes = amounts.counted(len(alone), "class", "classes")
            have = "has" if len(alone) == 1 else "have"
            more = ", …" if len(alone) > _LISTED_CLASSES else ""
            names = ", ".join(alone[:_LISTED_CLASSES])
            yield f"  {classes} of {split.name} {have} no video in train: {names}{more}"


def _describe_faults(split: SplitSummary, output: str) -> list[str]:
    if not split.faults:
        return []
    counts = collections.Counter(one.status for one in split.faults)
    words = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    report = os.fspath(results.report_path(output, split.name))
    lines = [f"    {words}; reasons in {report}:"]
    # Failed before incomplete before skipped: what is lost comes first.
    order = [results.FAILED, results.INCOMPLETE, results.SKIPPED]
    faults = sorted(split.faults, key=lambda one: (order.index(one.status), one.path))
    lines += [f"      {one.status}: {one.path}: {one.reason}" for one in faults[:_LISTED_FAULTS]]
    if len(faults) > _LISTED_FAULTS:
        lines.append(f"      … and {len(faults) - _LISTED_FAULTS} more")
    return lines
