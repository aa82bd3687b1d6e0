# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Records of those videos of UCF-101 that are there, by the official split 1."""

import os
import pathlib
from collections.abc import Callable

from benchmarks import studies


def make(
    videos: str, annotations: str, output: str, *, run: Callable[..., None] = studies.run
) -> str:
    """Converts videos to small records, in `output`/records; those of before are kept.

    Args:
        videos: folder of CLASS/VIDEO.avi; any part of the data set will do.
        annotations: folder of the official classInd.txt, trainlist01.txt and testlist01.txt, which
            are cut down to what is there.
        output: folder for the records and the shortened lists.
        run: runs a command of the project.

    Returns:
        The folder of the records.
    """
    records, splits = os.path.join(output, "records"), os.path.join(output, "splits")
    _write_lists_of_what_is_there(pathlib.Path(videos), pathlib.Path(annotations), splits)
    run(
        *("-m", "tfrecords_tools.convert", "--dataset=ucf101", "--fold=1", "--short_side=64"),
        *(f"--videos={videos}", f"--annotations={splits}", f"--output={records}"),
    )
    return records


def _write_lists_of_what_is_there(videos, official, splits):
    os.makedirs(splits, exist_ok=True)
    names = [line.split()[1] for line in _lines(official / "classInd.txt")]
    there = [name for name in names if (videos / name).is_dir()]
    numbered = [f"{number} {name}" for number, name in enumerate(there, start=1)]
    _write(os.path.join(splits, "classInd.txt"), numbered)
    for name in ("trainlist01.txt", "testlist01.txt"):
        kept = [line for line in _lines(official / name) if (videos / line.split()[0]).exists()]
        _write(os.path.join(splits, name), kept)


def _lines(path):
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _write(path, lines):
    pathlib.Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
