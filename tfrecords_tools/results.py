# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What became of every video and shard: noted shard by shard, then told in a csv file per split."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
from collections.abc import Iterable

from official_cvrl import filesystems, outputs

NOTES_FOLDER = ".conversion"

CONVERTED = "converted"
INCOMPLETE = "incomplete"  # Converted, but the source lacks frames.
FAILED = "failed"
SKIPPED = "skipped"  # Not a video at all, or one that is there already.


@dataclasses.dataclass(frozen=True)
class VideoResult:
    """One line of the report.

    Attributes:
      path: the video, relative to the videos' folder.
      example_id: of its record.
      status: `converted`, `incomplete`, `failed` or `skipped`.
      reason: in words, why it is not simply converted.
      labels: class names, those of persons in a key frame included, separated by `|`.
      shard: where it is or would be; empty when it was refused unopened.
      num_frames: in the record; 0 when there is none.
      height: of its frames, in pixels.
      width: of its frames, in pixels.
      frame_rate: frames a second.
      seconds: how long its record lasts.
      source_bytes: size of the source file, -1 when there is none.
    """

    path: str
    example_id: str
    status: str
    reason: str = ""
    labels: str = ""
    shard: str = ""
    num_frames: int = 0
    height: int = 0
    width: int = 0
    frame_rate: float = 0.0
    seconds: float = 0.0
    source_bytes: int = -1

    @property
    def class_names(self) -> tuple[str, ...]:
        """Its labels, apart."""
        return tuple(self.labels.split("|")) if self.labels else ()


@dataclasses.dataclass(frozen=True)
class ShardResult:
    """A shard that is whole.

    Attributes:
      name: its file name.
      num_examples: how many records it holds.
      bytes: its size.
      sha256: its checksum, in hexadecimal.
      videos: what became of each clip, in the shard's order.
    """

    name: str
    num_examples: int
    bytes: int
    sha256: str
    videos: tuple[VideoResult, ...]


def write_note(output: str | os.PathLike[str], result: ShardResult) -> None:
    """Notes that a shard is whole."""
    note = _note_path(output, result.name)
    note.parent.mkdir(parents=True, exist_ok=True)
    outputs.write_text(note, json.dumps(dataclasses.asdict(result)))


def read_note(output: str | os.PathLike[str], shard: str) -> ShardResult | None:
    """Returns the note about a shard, or None when there is none that can be read."""
    try:
        content = json.loads(_note_path(output, shard).read_text())
        videos = tuple(VideoResult(**one) for one in content.pop("videos"))
        return ShardResult(**content, videos=videos)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remove_note(output: str | os.PathLike[str], shard: str) -> None:
    """Forgets that a shard is whole."""
    _note_path(output, shard).unlink(missing_ok=True)


def noted(output: str | os.PathLike[str]) -> set[str]:
    """Returns the names of the shards that there are notes about."""
    folder = filesystems.openable_path(output) / NOTES_FOLDER
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return {name.removesuffix(".json") for name in names if name[0] != "."}


def _note_path(output: str | os.PathLike[str], name: str):
    return filesystems.openable_path(output) / NOTES_FOLDER / f"{name}.json"


def report_path(output: str | os.PathLike[str], split: str):
    """Returns where the csv file of a split is."""
    return filesystems.openable_path(output) / f"{split}-videos.csv"


def write_report(
    output: str | os.PathLike[str], *, split: str, videos: Iterable[VideoResult]
) -> None:
    """Writes `<split>-videos.csv`, sorted by path."""
    text = io.StringIO()
    names = [field.name for field in dataclasses.fields(VideoResult)]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    rows = sorted(videos, key=lambda one: (one.path, one.example_id))
    writer.writerows(dataclasses.asdict(one) for one in rows)
    outputs.write_text(report_path(output, split), text.getvalue())


def read_report(output: str | os.PathLike[str], split: str) -> list[VideoResult]:
    """Returns the lines of `<split>-videos.csv`, or nothing when it cannot be read."""
    kinds = {"num_frames": int, "height": int, "width": int, "frame_rate": float}
    kinds |= {"seconds": float, "source_bytes": int}
    try:
        rows = csv.DictReader(io.StringIO(report_path(output, split).read_text()))
        return [VideoResult(**{k: kinds.get(k, str)(v) for k, v in row.items()}) for row in rows]
    except (OSError, ValueError, KeyError, TypeError):
        return []
