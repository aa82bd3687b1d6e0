# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Converts videos to TFRecord shards: `python -m tfrecords_tools.convert --help`."""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from official_cvrl import commands, errors, filesystems, locks, manifest
from tfrecords_tools import (
    beam_engine,
    confinement,
    conversion,
    engines,
    plan,
    sources,
    subsets,
    summary,
    video,
)
from tfrecords_tools.datasets import ava

_ENGINES = ("local", "beam")
_LOCK = ".conversion.lock"

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
  a table with the columns path and optionally start, end (seconds), label (several: dog|barking)
  and split:
    python -m tfrecords_tools.convert --dataset=csv --videos=DIR --annotations=TABLE.csv \\
        --output=MY_RECORDS
  Kinetics-400, -600 or -700 with an official csv file (or a folder of them); videos are found by
  their names, ID_000036_000046 or ID, in class folders or not, and whole ones are cut by time:
    python -m tfrecords_tools.convert --dataset=kinetics --videos=K400 \\
        --annotations=kinetics-400_train.csv --version=400 --output=K400_RECORDS
  a balanced hundredth of it, the same on every machine:
    python -m tfrecords_tools.convert --dataset=kinetics --videos=K400 \\
        --annotations=kinetics-400_train.csv --version=400 --subset=0.01 --output=K400_1_PERCENT
  UCF-101 or HMDB-51 with the official split files, both parts of the first split:
    python -m tfrecords_tools.convert --dataset=ucf101 --videos=UCF-101 \\
        --annotations=ucfTrainTestlist --fold=1 --output=UCF_RECORDS
    python -m tfrecords_tools.convert --dataset=hmdb51 --videos=HMDB51 \\
        --annotations=testTrainMulti_7030_splits --fold=1 --output=HMDB_RECORDS
  AVA: a clip around each key frame, with the ground-truth boxes and those of a detector; the folder
  of annotations holds ava_train_v2.2.csv, ava_train_excluded_timestamps_v2.2.csv, the same for val:
    python -m tfrecords_tools.convert --dataset=ava --videos=FILMS --annotations=ava_v2.2 \\
        --detected_boxes=ava_val_boxes.csv --split=val --output=AVA_RECORDS
  boxes of your own, a csv file with the columns video, second, x1, y1, x2, y2 (0 to 1), label, and
  optionally person and split:
    python -m tfrecords_tools.convert --dataset=boxes --videos=DIR --annotations=BOXES.csv \\
        --output=MY_RECORDS
  any of these on a cluster, by Apache Beam, whose own flags follow a lone --:
    python -m tfrecords_tools.convert --dataset=folder --videos=gs://BUCKET/VIDEOS \\
        --output=gs://BUCKET/RECORDS --engine=beam -- --runner=DataflowRunner --project=…
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
    fold: int | None = None,
    version: str | None = None,
    test_fraction: float = 0.0,
    subset: float | None = None,
    subset_seed: int = 0,
    unlabelled: bool = False,
    detected_boxes: str | os.PathLike[str] | None = None,
    clip_seconds: float | None = None,
    film_start: float | None = None,
    num_shards: int | None = None,
    short_side: int = video.Settings.short_side,
    quality: int = video.Settings.quality,
    fps: float | None = None,
    min_frames: int = video.Settings.min_frames,
    engine: str = "local",
    workers: int | None = None,
    beam_flags: Sequence[str] = (),
    quiet: bool = False,
) -> summary.Summary:
    """Converts videos to shards; what the command does, as a function.

    Worker processes import the main module again, so a script that calls this needs the usual
    `if __name__ == "__main__":`.

    Args:
      dataset: `folder`, `csv`, `kinetics`, `ucf101`, `hmdb51`, `ava` or `boxes`.
      videos: the folder of the videos.
      output: the folder of the shards; made if it is not there.
      annotations: the table of `csv` or `boxes`; the official files of the others, or their folder.
      split: what to call the split, or which one to take; None for all, or `train`.
      fold: which official split of UCF-101 or HMDB-51, 1 to 3; None for 1.
      version: of Kinetics, `400`, `600` or `700`; of AVA, `2.2` or `2.1`.
      test_fraction: share of each class to hold out as split `test`; 0 for none.
      subset: share of each class to keep of split `train`, or of the only split; None for all.
      subset_seed: which videos a subset keeps.
      unlabelled: for `folder`, take folders for mere folders, not classes.
      detected_boxes: for `ava`, a csv file of the boxes that a detector drew.
      clip_seconds: for `ava` and `boxes`, how long a clip around a key frame is; None for 3.
      film_start: for `ava`, which second of the film a file begins with; None for 0.
      num_shards: per split; None for one per 64 videos, but at least 8, or one per 4 videos where
        that is fewer.
      short_side: of the frames, in pixels; no video is enlarged.
      quality: of the JPEGs, 1 to 100.
      fps: frames a second to resample to; None keeps the source's.
      min_frames: videos with fewer are reported, not converted.
      engine: `local` for processes of this machine, `beam` for Apache Beam.
      workers: number of processes of the local engine; None for one per core.
      beam_flags: Beam's own flags.
      quiet: show no progress.

    Raises:
      UserError: the arguments, the annotations or the output folder are at fault, or none of the
        videos could be converted.
    """
    started = time.monotonic()
    settings = video.Settings(
        short_side=short_side, quality=quality, fps=fps, min_frames=min_frames
    )
    _check_numbers(settings, num_shards=num_shards)
    write_shards = _engine(engine, workers=workers, beam_flags=beam_flags)
    if dataset == "ava" and short_side < ava.LEAST_SHORT_SIDE:
        raise errors.UserError(
            f"--short_side={short_side}: persons in AVA are small; give {ava.LEAST_SHORT_SIDE}, at "
            "which models are tested, or more."
        )
    found = sources.read(
        dataset,
        videos=videos,
        table=annotations,
        split=split,
        unlabelled=unlabelled,
        options={
            "fold": fold,
            "version": version,
            "detected_boxes": detected_boxes,
            "clip_seconds": clip_seconds,
            "film_start": film_start,
        },
    )
    if test_fraction:
        found = subsets.hold_out(found, fraction=test_fraction)
    if subset is not None:
        found = subsets.keep_share(found, fraction=subset, seed=subset_seed)
    _refuse_output_among(videos, output)
    with _told_as_unwritable(output):
        filesystems.openable_path(output).mkdir(parents=True, exist_ok=True)
        with _alone_in(output):
            label_names = _label_map(output, found.label_names)
            plans = [
                plan.plan_split(
                    name,
                    one_split,
                    output=output,
                    label_names=label_names,
                    dataset_name=dataset,
                    settings=settings,
                    num_shards=num_shards,
                    choices=found.settings,
                )
                for name, one_split in found.splits.items()
            ]
            splits = conversion.carry_out(
                plans, output, label_names=label_names, write_shards=write_shards, quiet=quiet
            )
    return summary.Summary(os.fspath(output), splits, label_names, time.monotonic() - started)


def _engine(engine: str, *, workers: int | None, beam_flags: Sequence[str]) -> Callable:
    """Returns what writes the shards."""
    if engine == "beam":
        if workers is not None:
            raise errors.UserError(
                f"--workers={workers} is for --engine=local; with Beam its own flags say how many, "
                "such as -- --direct_num_workers=8 --direct_running_mode=multi_processing."
            )
        beam_engine.import_beam()
        return functools.partial(beam_engine.run_on_beam, flags=beam_flags)
    if engine != "local":
        raise errors.UserError(f"--engine={engine} is not one of {', '.join(_ENGINES)}.")
    if beam_flags:
        raise errors.UserError(
            f"{' '.join(beam_flags)}: what stands behind -- is for Beam; add --engine=beam."
        )
    workers = engines.available_cores() if workers is None else workers
    if workers < 1:
        raise errors.UserError(f"--workers={workers} must be at least 1.")
    return functools.partial(engines.run_local, workers=workers)


def _check_numbers(settings: video.Settings, *, num_shards: int | None) -> None:
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


def _refuse_output_among(videos, output) -> None:
    true = [
        path if filesystems.scheme(path) else os.path.realpath(path) for path in (output, videos)
    ]
    if confinement.is_within(*true):
        raise errors.UserError(
            f"--output={output} lies in --videos={videos}: the shards would be taken for "
            "videos the next time. Choose a folder outside."
        )


@contextlib.contextmanager
def _told_as_unwritable(output) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not filesystems.is_fault(error):
            raise
        raise errors.UserError(
            f"--output={output}: cannot be written: {errors.words(error)}."
        ) from error


@contextlib.contextmanager
def _alone_in(output) -> Iterator[None]:
    """Refuses a second conversion: the later of two would write a manifest without the other's."""
    if filesystems.scheme(output) not in ("", "file"):
        yield  # Nothing can be locked there.
        return
    lock = os.path.join(filesystems.openable_path(output), _LOCK)
    with locks.alone(lock, others="another conversion"):
        try:
            yield
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.remove(lock)


def _label_map(output, label_names: Sequence[str]) -> tuple[str, ...]:
    """Returns the label map of the output folder, which all its splits share."""
    manifest.check_label_names(label_names)  # Before any video is converted.
    there = manifest.read_labels(output)
    unknown = [name for name in label_names if name not in set(there)]
    if there and unknown:
        raise errors.UserError(
            f"--output={output} has a label map without {', '.join(unknown[:5])}"
            f"{' …' if len(unknown) > 5 else ''} ({manifest.LABELS_NAME}). Convert all splits in "
            "one command, or choose another --output."
        )
    return there or tuple(label_names)


def _parser() -> argparse.ArgumentParser:
    parser = commands.Parser(
        prog="python -m tfrecords_tools.convert",
        description=_DESCRIPTION,
        epilog=_AFTERWORD,
    )
    add = parser.add_argument
    add("--dataset", required=True, choices=sources.DATASETS)
    add("--videos", required=True, metavar="DIR", help="folder of the videos")
    add("--output", required=True, metavar="DIR", help="folder for the shards")
    add(
        "--annotations",
        metavar="PATH",
        help="csv, boxes: the table; kinetics: the official csv file, or a folder of them; ucf101, "
        "hmdb51: folder of the official split files; ava: folder of the official csv files",
    )
    add("--split", metavar="NAME", help="what to call the split, or which to take (default: all)")
    add("--fold", type=int, help="ucf101, hmdb51: official split 1, 2 or 3 (default: 1)")
    add(
        "--version",
        help="kinetics: 400, 600 or 700, whose labels are then in the label map, all and no other "
        "(default: the labels that occur, sorted); ava: 2.2 (default) or 2.1",
    )
    add(
        "--test_fraction",
        type=float,
        default=0.0,
        metavar="F",
        help="hold this share of each class out as split test, chosen by name (default: none)",
    )
    add(
        "--subset",
        type=float,
        metavar="F",
        help="keep this share of each class, at least one video, of split train (or of the one "
        "that --split names); the same videos everywhere, and 0.01 lies within 0.1",
    )
    add(
        "--subset_seed",
        type=int,
        default=0,
        metavar="N",
        help="which videos --subset keeps: another number, others (default: %(default)s)",
    )
    add(
        "--detected_boxes",
        metavar="CSV",
        help="ava: rows of film,seconds,x1,y1,x2,y2,score (or an action before the score), to be "
        "put beside the ground truth",
    )
    add(
        "--clip_seconds",
        type=float,
        metavar="S",
        help="ava, boxes: length of the clip around a key frame (default: "
        f"{ava.CLIP_SECONDS:g}, for 32 frames at stride 2)",
    )
    add(
        "--film_start",
        type=float,
        metavar="S",
        help="ava: which second of the film the files begin with; 900 for the usual 15-minute cuts "
        "(default: 0, whole films)",
    )
    add("--unlabelled", action="store_true", help="folder: folders are mere folders, not classes")
    add(
        "--num_shards",
        type=int,
        metavar="N",
        help="per split (default: 1 per 64 videos, but at least 8, or 1 per 4 videos if fewer)",
    )
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
    add(
        "--engine",
        choices=_ENGINES,
        default=_ENGINES[0],
        help="where shards are written: by processes of this machine (default), or by Apache Beam "
        "on whatever its own flags say, which follow a lone --; the bytes are the same",
    )
    add("--workers", type=int, metavar="N", help="local: processes (default: one per core)")
    add("--quiet", action="store_true", help="no progress, neither bar nor lines")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    end = given.index("--") if "--" in given else len(given)
    options = _parser().parse_args(given[:end])

    def run():
        print(summary.describe(convert(**vars(options), beam_flags=given[end + 1 :])))

    return commands.exit_code(run, interrupted="stopped; the same command goes on where it was.")


if __name__ == "__main__":
    sys.exit(main())
