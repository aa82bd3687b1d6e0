# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Looks into a folder of shards: `python -m tfrecords_tools.inspect --help`."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import os
import statistics
import sys
from collections.abc import Iterable, Sequence

import tensorflow as tf

from official_cvrl import amounts, commands, errors, manifest, records
from tfrecords_tools import check, contact_sheet, results

_DESCRIPTION = """\
Tells what is in a folder of shards: videos, frames, sizes, labels and bytes of each split.

example:
  python -m tfrecords_tools.inspect MY_RECORDS --check --contact_sheet=MY_RECORDS.png

exit code: 0; 1 if --check found a fault; 2 if the folder or the command is at fault.
"""

_LISTED_CLASSES = 24
_LISTED_VALUES = 4
_LISTED_FAULTS = 50


@dataclasses.dataclass(frozen=True)
class _Video:
    num_frames: int
    size: str
    frame_rate: float
    seconds: float
    labels: tuple[str, ...]


def describe_split(data_dir: str | os.PathLike[str], split: str) -> str:
    """Returns in words what a split holds.

    Raises:
      UserError: its shards are missing, truncated or of another layout.
    """
    shards = manifest.find_shards(data_dir, split)
    videos = _reported(data_dir, shards) or _recorded(shards)
    num_bytes = sum(tf.io.gfile.stat(path).length for path in shards.paths)
    num_frames = sum(video.num_frames for video in videos)
    seconds = [video.seconds for video in videos]
    return "\n".join(
        [
            f"{split}: {amounts.counted(len(videos), 'video')} in "
            f"{amounts.counted(len(shards.paths), 'shard')}, {_bytes(num_bytes)}",
            f"  frames      {num_frames} ({_bytes(num_bytes / max(1, num_frames))} each)",
            f"  length      {statistics.median(seconds):.1f} s in the middle, "
            f"{min(seconds):.1f} to {max(seconds):.1f} s",
            f"  size        {_common(video.size for video in videos)}",
            f"  frame rate  {_common(f'{video.frame_rate:.4g}' for video in videos)}",
            f"  labels      {_describe_labels(videos, shards.label_names)}",
            *_describe_faults(data_dir, split),
        ]
    )


def _reported(data_dir, shards: manifest.ShardSet) -> list[_Video]:
    """Returns the videos by the report of the conversion, if it is about these shards."""
    known = manifest.known_shards(data_dir, shards.split)
    videos = [
        _Video(
            num_frames=one.num_frames,
            size=f"{one.width}x{one.height}",
            frame_rate=one.frame_rate,
            seconds=one.seconds,
            labels=tuple(label for label in one.labels.split("|") if label),
        )
        for one in results.read_report(data_dir, shards.split)
        if one.num_frames and one.shard in known
    ]
    return videos if len(videos) == shards.num_examples else []


def _recorded(shards: manifest.ShardSet) -> list[_Video]:
    dataset = tf.data.TFRecordDataset(list(shards.paths), compression_type=shards.compression)
    try:
        return [
            _recorded_video(serialized, shards.label_names)
            for serialized in dataset.as_numpy_iterator()
        ]
    except (ValueError, tf.errors.DataLossError) as error:
        raise errors.UserError(
            f"a record cannot be read: {getattr(error, 'message', error)}. --check says which."
        ) from error


def _recorded_video(serialized: bytes, label_names: Sequence[str]) -> _Video:
    example = records.decode_example(serialized)
    rate = example.frame_rate
    return _Video(
        num_frames=len(example.frames),
        size=f"{example.width}x{example.height}" if example.width else "not stated",
        frame_rate=rate,
        seconds=len(example.frames) / rate if rate else 0.0,
        labels=example.classes(label_names),
    )


def _common(values: Iterable[str]) -> str:
    counts = collections.Counter(values).most_common()
    words = ", ".join(f"{value} ({count})" for value, count in counts[:_LISTED_VALUES])
    return words + (f" and {len(counts) - _LISTED_VALUES} more" * (len(counts) > _LISTED_VALUES))


def _describe_labels(videos: Sequence[_Video], label_names: Sequence[str]) -> str:
    counts = collections.Counter(label for video in videos for label in video.labels)
    if not counts:
        return "none"
    unlabelled = sum(not video.labels for video in videos)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    words = f"{len(counts)} classes" + (f" of {len(label_names)}" if label_names else "")
    words += f", {unlabelled} videos without" if unlabelled else ""
    if len(ordered) <= _LISTED_CLASSES:
        return f"{words}: " + ", ".join(f"{name} {count}" for name, count in ordered)
    (most, most_count), (least, least_count) = ordered[0], ordered[-1]
    return f"{words}, from {least} ({least_count}) to {most} ({most_count})"


def _describe_faults(data_dir, split: str) -> list[str]:
    report = results.read_report(data_dir, split)
    counts = collections.Counter(one.status for one in report if one.status != results.CONVERTED)
    if not counts:
        return []
    words = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    return [f"  report      {words} (see {os.fspath(results.report_path(data_dir, split))})"]


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.1f} {unit}" if unit != "B" else f"{count:.0f} B"
        count /= 1000
    return f"{count:.1f} TB"


def _check(data_dir: str, splits: Sequence[str], *, quiet: bool) -> int:
    faults = [
        fault for split in splits for fault in check.check_split(data_dir, split, quiet=quiet)
    ]
    for fault in faults[:_LISTED_FAULTS]:
        print(f"fault: {fault}")
    if len(faults) > _LISTED_FAULTS:
        print(f"… and {len(faults) - _LISTED_FAULTS} more")
    print(f"check: {len(faults)} faults" if faults else "check: every frame decodes, no faults")
    return 1 if faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = commands.Parser(
        prog="python -m tfrecords_tools.inspect",
        description=_DESCRIPTION,
    )
    add = parser.add_argument
    add("path", metavar="PATH", help="folder of shards")
    add("--split", metavar="NAME", help="look at this split only")
    add("--check", action="store_true", help="read every record, decode every frame")
    add("--contact_sheet", metavar="FILE.png", help="draw a picture of some videos")
    add("--num_videos", type=int, default=12, metavar="N", help="rows of the picture (default: 12)")
    add("--quiet", action="store_true", help="no progress, neither bar nor lines")
    return parser


def _run(options: argparse.Namespace) -> int:
    if options.contact_sheet:
        contact_sheet.refuse_other_endings(options.contact_sheet)
    if options.num_videos < 1:
        raise errors.UserError(f"--num_videos={options.num_videos} must be at least 1.")
    splits = manifest.list_splits(options.path)
    if options.split is not None or not splits:
        manifest.present_shards(options.path, options.split or "train")  # Raises if there is none.
        splits = (options.split,)
    code = _check(options.path, splits, quiet=options.quiet) if options.check else 0
    if not code:
        for split in splits:
            print(describe_split(options.path, split))
        if options.contact_sheet:
            found = [manifest.find_shards(options.path, split) for split in splits]
            contact_sheet.draw(found, options.contact_sheet, num_videos=options.num_videos)
            print(f"contact sheet: {options.contact_sheet}")
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    # Nothing here needs a GPU, and TensorFlow would take all of its memory from who trains on it.
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    options = _parser().parse_args(arguments)
    return commands.exit_code(lambda: _run(options), interrupted="Interrupted.")


if __name__ == "__main__":
    sys.exit(main())
