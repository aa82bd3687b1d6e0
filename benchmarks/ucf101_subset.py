# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Pre-trains on real UCF-101 clips and evaluates on groups never seen, beside random weights.

    python benchmarks/ucf101_subset.py --videos=UCF_VIDEOS --annotations=UCF_SPLITS --output=DIR

UCF_SPLITS holds classInd.txt, trainlist01.txt and testlist01.txt in the official form; they may
list a subset of the classes and videos. What is done already is passed over, so the same command
goes on after an interruption. Prints a Markdown table and writes it to DIR/results.md.
"""

import json
import os
import pathlib
import subprocess
import sys

from absl import app, flags

_VIDEOS = flags.DEFINE_string("videos", None, "Folder of the videos.", required=True)
_ANNOTATIONS = flags.DEFINE_string("annotations", None, "Folder of the splits.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "Folder for records and runs.", required=True)
_SEEDS = flags.DEFINE_integer("seeds", 1, "Pre-training runs, seeds 0, 1, …")
_STEPS = flags.DEFINE_integer("steps", 600, "Pre-training steps.")

_ROOT = pathlib.Path(__file__).resolve().parents[1]
# Every other frame of 25 a second, 8 of them: 0.6 seconds, of which UCF-101's clips have several.
_CLIPS = ("TEMPORAL_STRIDE = 2",)


def main(unused_argv):
    """Runs conversion, pre-training and both evaluations for each seed."""
    output = _OUTPUT.value
    records = os.path.join(output, "records")
    for split in ("train", "test"):
        _run(
            *("-m", "tfrecords_tools.convert", "--dataset=ucf101", f"--videos={_VIDEOS.value}"),
            *(f"--annotations={_ANNOTATIONS.value}", f"--split={split}", "--fold=1"),
            *(f"--output={records}", "--short_side=64"),
        )
    rows = []
    for seed in range(_SEEDS.value):
        pretrained = os.path.join(output, f"pretrain_{seed}")
        steps = f"TRAIN_STEPS = {_STEPS.value}"
        _train("pretrain.gin", records, pretrained, f"SEED = {seed}", steps)
        for name, weights in (("CVRL", pretrained), ("random weights", "")):
            folder = os.path.join(output, f"linear_{name.split()[0].lower()}_{seed}")
            start = f"run.pretrained = '{os.path.abspath(weights) if weights else ''}'"
            _train("linear_eval.gin", records, folder, f"SEED = {seed}", start)
            rows.append((name, seed, _results(folder)))
    table = _table(rows)
    pathlib.Path(output, "results.md").write_text(table + "\n")
    print(table)


def _train(gin_file, records, model_dir, *params):
    _run(
        *("train.py", f"--gin_file={gin_file}", f"--data_dir={records}"),
        f"--model_dir={model_dir}",
        *(f"--gin_param={param}" for param in (*_CLIPS, *params)),
    )


def _run(*arguments):
    print("$ python", *arguments, flush=True)
    subprocess.run([sys.executable, *arguments], cwd=_ROOT, check=True)


def _results(folder):
    with open(os.path.join(folder, "results.json"), encoding="utf-8") as file:
        return json.load(file)


def _table(rows):
    lines = ["| backbone | seed | kNN top-1 | linear top-1 |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {seed} | {results['knn_top1']:.1%} | {results['top1']:.1%} |"
        for name, seed, results in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    app.run(main)
