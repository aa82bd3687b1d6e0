# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Pre-trains on real UCF-101 clips and evaluates on groups never seen, beside random weights.

    python -m benchmarks.ucf101_subset --videos=UCF_VIDEOS --annotations=UCF_SPLITS --output=DIR

UCF_SPLITS holds the official classInd.txt, trainlist01.txt and testlist01.txt; of UCF_VIDEOS any
part of the data set will do, and the lists are cut down to it. What is done already is passed over,
so the same command goes on after an interruption.
"""

import os
import pathlib

from absl import app, flags

from benchmarks import studies

_VIDEOS = flags.DEFINE_string("videos", None, "Folder of CLASS/VIDEO.avi.", required=True)
_ANNOTATIONS = flags.DEFINE_string("annotations", None, "Folder of the splits.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "Folder for records and runs.", required=True)
_SEEDS = flags.DEFINE_integer("seeds", 3, "Runs of each row, seeds 0, 1, …")
_PARAMS = flags.DEFINE_multi_string("gin_param", [], "Bindings for pre-training.")

_ROWS = (studies.Row("CVRL"), studies.Row("random weights", pretrained=False))


def main(unused_argv):
    """Converts, pre-trains and evaluates for each seed, and prints the table."""
    records = os.path.join(_OUTPUT.value, "records")
    splits = os.path.join(_OUTPUT.value, "splits")
    _write_lists_of_what_is_there(splits)
    studies.run(
        *("-m", "tfrecords_tools.convert", "--dataset=ucf101", "--fold=1", "--short_side=64"),
        *(f"--videos={_VIDEOS.value}", f"--annotations={splits}", f"--output={records}"),
    )
    study = studies.Study(
        data_dir=records,
        output=_OUTPUT.value,
        pretrain_params=_PARAMS.value,
        num_seeds=_SEEDS.value,
    )
    print(study.table(_ROWS))


def _write_lists_of_what_is_there(splits):
    os.makedirs(splits, exist_ok=True)
    official, videos = pathlib.Path(_ANNOTATIONS.value), pathlib.Path(_VIDEOS.value)
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


if __name__ == "__main__":
    app.run(main)
