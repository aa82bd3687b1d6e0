# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Converts videos to TFRecord shards: `python -m tfrecords_tools.convert --help`."""

from __future__ import annotations

import argparse
import collections
import os
import sys
import time
from collections.abc import Sequence

import tqdm

from official_cvrl import errors, filesystems, manifest
from tfrecords_tools import annotations as annotation_files
from tfrecords_tools import engines, plan, results, summary, video

_DESCRIPTION = """\
Converts videos to TFRecord shards of JPEG frames.

examples:
  one folder per class (MY_VIDEOS/dog/1.mp4), or train/, val/, test/ with such folders in each:
    python -m tfrecords_tools.convert --dataset=folder --videos=MY_VIDEOS --output=MY_RECORDS
  the same, a fifth of each class held out as split test:
    python -m tfrecords_tools.convert --dataset=folder --videos=MY_VIDEOS --output=MY_RECORDS \\
        --test_fraction=0.2
  videos without labels, wherever they are below a folder:
    python -m tfrecords_tools.convert --dataset=folder --unlabelled --videos=DIR --output=MY_RECORDS
  a table with the columns path and optionally start, end (seconds), label and split:
    python -m tfrecords_tools.convert --dataset=csv --videos=DIR --annotations=TABLE.csv \\
        --output=MY_RECORDS
  UCF-101 with the official split files, both parts of its first split:
    python -m tfrecords_tools.convert --dataset=ucf101 --videos=UCF-101 \\
        --annotations=ucfTrainTestlist --fold=1 --output=UCF_RECORDS
"""

_AFTERWORD = """\
Every video ends up in a shard or, with the reason, in <split>-videos.csv beside the shards.
The same command again goes on where it was stopped. Look at the result with
  python -m tfrecords_tools.inspect MY_RECORDS --check --contact_sheet=sheet.png

exit code: 0 if at least one video was converted, 2 if the command or the data is at fault,
130 if stopped by Ctrl-C.
"""


def convert(
    *,
    dataset: str,
    videos: str | os.PathLike[str],
    output: str | os.PathLike[str],
    annotations: str | os.PathLike[str] | None = None,
    split: str | None = None,
    fold: int = 1,
    test_fraction: float = 0.0,
    unlabelled: bool = False,
    num_shards: int | None = None,
    short_side: int = video.Settings.short_side,
    quality: int = video.Settings.quality,
    fps: float | None = None,
    min_frames: int = video.Settings.min_frames,
    workers: int | None = None,
    quiet: bool = False,
) -> summary.Summary:
    """Converts videos to shards; what the command does, as a function.

    Worker processes import the main module again, so a script that calls this needs the usual
    `if __name__ == "__main__":`.

    Args:
      dataset: `folder`, `csv` or `ucf101`.
      videos: the folder of the videos.
      output: the folder of the shards; made if it is not there.
      annotations: the table of `csv`, the folder of the official split files of `ucf101`.
      split: what to call the split, or which one to take; None for all, or `train`.
      fold: which official split of UCF-101, 1 to 3.
      test_fraction: share of each class to hold out as split `test`; 0 for none.
      unlabelled: for `folder`, take folders for mere folders, not classes.
      num_shards: per split; None for one per 64 videos, but 8 where there are 32 or more.
      short_side: of the frames, in pixels; no video is enlarged.
      quality: of the JPEGs, 1 to 100.
      fps: frames a second to resample to; None keeps the source's.
      min_frames: videos with fewer are reported, not converted.
      workers: number of processes; None for one per core.
      quiet: show no progress.

    Raises:
      UserError: the arguments, the annotations or the output folder are at fault, or none of the
        videos could be converted.
    """
    started = time.monotonic()
    settings = video.Settings(
        short_side=short_side, quality=quality, fps=fps, min_frames=min_frames
    )
    workers = engines.available_cores() if workers is None else workers
    _check_numbers(settings, num_shards=num_shards, workers=workers)
    found = _read_annotations(
        dataset, videos=videos, table=annotations, split=split, fold=fold, unlabelled=unlabelled
    )
    if test_fraction:
        found = annotation_files.hold_out(found, fraction=test_fraction)
    _prepare_output(output, videos=videos)
    label_names = _label_map(output, found.label_names)
    try:
        plans = [
            plan.plan_split(
                name,
                one_split,
                output=output,
                label_names=label_names,
                dataset_name=dataset,
                settings=settings,
                num_shards=num_shards,
            )
            for name, one_split in found.splits.items()
        ]
        written = _write_missing(plans, output, workers=workers, quiet=quiet)
        splits = _finish(plans, written, output, label_names=label_names)
    except OSError as error:
        raise errors.UserError(f"--output={output}: cannot be written: {error}.") from error
    return summary.Summary(os.fspath(output), splits, label_names, time.monotonic() - started)


def _check_numbers(settings: video.Settings, *, num_shards: int | None, workers: int) -> None:
    checks = {
        "short_side": settings.short_side >= 16,
        "quality": 1 <= settings.quality <= 100,
        "fps": settings.fps is None or 0 < settings.fps <= 1000,
        "min_frames": settings.min_frames >= 1,
    }
    for name, good in checks.items():
        if not good:
            raise errors.UserError(f"--{name}={getattr(settings, name)} is out of range.")
    if num_shards is not None and not 1 <= num_shards <= 99999:
        raise errors.UserError(f"--num_shards={num_shards} must be 1 to 99999.")
    if workers < 1:
        raise errors.UserError(f"--workers={workers} must be at least 1.")


def _read_annotations(
    dataset: str, *, videos, table, split: str | None, fold: int, unlabelled: bool
) -> annotation_files.Annotations:
    if dataset not in annotation_files.DATASETS:
        known = ", ".join(annotation_files.DATASETS)
        raise errors.UserError(f"--dataset={dataset} is not one of {known}.")
    if split is not None and (not split or "/" in split):
        raise errors.UserError(f"--split={split!r} cannot be part of a file name.")
    if dataset == "folder":
        return annotation_files.read_folder(videos, split=split, unlabelled=unlabelled)
    if table is None:
        what = {"csv": "the table", "ucf101": "the folder of the official split files"}[dataset]
        raise errors.UserError(f"--dataset={dataset} needs --annotations={what}.")
    if dataset == "csv":
        return annotation_files.read_csv(table, videos=videos, split=split)
    return annotation_files.read_ucf101(table, videos=videos, split=split, fold=fold)


def _prepare_output(output, *, videos) -> None:
    if not filesystems.scheme(output):
        inside, outside = os.path.realpath(output), os.path.realpath(videos)
        if os.path.commonpath([inside, outside]) == outside:
            raise errors.UserError(
                f"--output={output} lies in --videos={videos}: the shards would be taken for "
                "videos the next time. Choose a folder outside."
            )
    try:
        filesystems.openable_path(output).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise errors.UserError(f"--output={output}: cannot be made: {error}.") from error


def _label_map(output, label_names: Sequence[str]) -> tuple[str, ...]:
    """Returns the label map of the output folder, which all its splits share."""
    there = manifest.read_labels(output)
    unknown = [name for name in label_names if name not in set(there)]
    if there and unknown:
        raise errors.UserError(
            f"--output={output} has a label map without {', '.join(unknown[:5])}"
            f"{' …' if len(unknown) > 5 else ''} ({manifest.LABELS_NAME}). Convert all splits in "
            "one command, or choose another --output."
        )
    return there or tuple(label_names)


def _write_missing(
    plans: Sequence[plan.SplitPlan], output, *, workers: int, quiet: bool
) -> dict[str, results.ShardResult]:
    for one in plans:
        plan.note_settings(output, one)
    specs = [spec for one in plans for spec in one.missing]
    total = sum(len(spec.clips) for one in plans for spec in one.specs)
    missing = sum(len(spec.clips) for spec in specs)
    with tqdm.tqdm(
        total=total,
        initial=total - missing,
        desc="converting",
        unit=" videos",
        dynamic_ncols=True,
        disable=True if quiet else None,  # None: only where a person sees it.
    ) as bar:
        done = engines.run_local(specs, workers=workers, on_clips=bar.update) if specs else []
    return {result.name: result for result in done}


def _finish(
    plans: Sequence[plan.SplitPlan], written, output, *, label_names: Sequence[str]
) -> tuple[summary.SplitSummary, ...]:
    shards = {one.name: [{**one.done, **written}[spec.name] for spec in one.specs] for one in plans}
    reports = {one.name: _report(one, shards[one.name]) for one in plans}
    for name, videos in reports.items():
        results.write_report(output, split=name, videos=videos)
    if not any(shard.num_examples for of_split in shards.values() for shard in of_split):
        for one in plans:
            plan.forget(output, one, shards_too=True)
        raise errors.UserError(_nothing_converted(output, reports))
    if label_names:
        manifest.write_labels(output, label_names)
    for one in plans:
        entry = _manifest_entry(one, shards[one.name], reports[one.name])
        manifest.write_split(output, split=one.name, entry=entry)
        plan.forget(output, one)
    return tuple(
        summary.SplitSummary(
            name=one.name,
            num_converted=sum(shard.num_examples for shard in shards[one.name]),
            num_frames=sum(each.num_frames for each in reports[one.name]),
            num_shards=len(shards[one.name]),
            num_kept=len(one.done),
            bytes=sum(shard.bytes for shard in shards[one.name]),
            faults=tuple(each for each in reports[one.name] if each.status != results.CONVERTED),
        )
        for one in plans
    )


def _report(
    one: plan.SplitPlan, shards: Sequence[results.ShardResult]
) -> list[results.VideoResult]:
    refused = [
        results.VideoResult(
            path=each.data_path,
            example_id="",
            status=results.FAILED if each.fault else results.SKIPPED,
            reason=each.reason,
        )
        for each in one.refused
    ]
    return [each for shard in shards for each in shard.videos] + refused


def _nothing_converted(output, reports: dict[str, list[results.VideoResult]]) -> str:
    videos = [one for report in reports.values() for one in report]
    first = "; ".join(f"{one.path}: {one.reason}" for one in videos[:3])
    return (
        f"none of the {len(videos)} videos could be converted ({first}"
        f"{'; …' if len(videos) > 3 else ''}). All reasons are in "
        f"{', '.join(os.fspath(results.report_path(output, name)) for name in reports)}."
    )


def _manifest_entry(one: plan.SplitPlan, shards, videos) -> dict:
    return {
        "settings": dict(one.settings),
        "num_videos": len(videos),
        "num_examples": sum(shard.num_examples for shard in shards),
        "num_frames": sum(each.num_frames for each in videos),
        "status": dict(sorted(collections.Counter(each.status for each in videos).items())),
        "shards": [
            {key: getattr(shard, key) for key in ("name", "num_examples", "bytes", "sha256")}
            for shard in shards
        ],
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tfrecords_tools.convert",
        description=_DESCRIPTION,
        epilog=_AFTERWORD,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--dataset", required=True, choices=annotation_files.DATASETS)
    add("--videos", required=True, metavar="DIR", help="folder of the videos")
    add("--output", required=True, metavar="DIR", help="folder for the shards")
    add("--annotations", metavar="PATH", help="csv: the table; ucf101: folder of the split files")
    add("--split", metavar="NAME", help="what to call the split, or which to take (default: all)")
    add("--fold", type=int, default=1, help="ucf101: official split 1, 2 or 3 (default: 1)")
    add(
        "--test_fraction",
        type=float,
        default=0.0,
        metavar="F",
        help="hold this share of each class out as split test, chosen by name (default: none)",
    )
    add("--unlabelled", action="store_true", help="folder: folders are mere folders, not classes")
    add("--num_shards", type=int, metavar="N", help="per split (default: 1 per 64 videos, or 8)")
    add(
        "--short_side",
        type=int,
        default=video.Settings.short_side,
        metavar="N",
        help="pixels; smaller videos keep their size (default: %(default)s, which leaves the "
        "smallest training crop near 224 pixels and is above the 256 of testing)",
    )
    add("--fps", type=float, help="resample to this frame rate (default: the source's frames)")
    add(
        "--quality",
        type=int,
        default=video.Settings.quality,
        metavar="Q",
        help="of the JPEG frames, 1 to 100 (default: %(default)s)",
    )
    add(
        "--min_frames",
        type=int,
        default=video.Settings.min_frames,
        metavar="N",
        help="report videos with fewer frames instead of converting them (default: %(default)s)",
    )
    add("--workers", type=int, metavar="N", help="processes (default: one per core)")
    add("--quiet", action="store_true", help="no progress bar")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        print(summary.describe(convert(**vars(options))))
    except errors.UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on where it was.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
