# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Every benchmark of speed and memory, one after the other, and all goals in one table.

    python -m benchmarks.everything --output=DIR [--videos=MY_VIDEOS] [--torch_python=PATH]

Nothing else should run meanwhile; it takes about an hour on two cores. What is done already is
passed over, so the same command goes on after an interruption.
"""

import json
import os
import pathlib
import subprocess
import sys

from absl import app, flags

from benchmarks import outcome, studies
from official_cvrl import embedded

_OUTPUT = flags.DEFINE_string("output", None, "Folder for the results.", required=True)
_VIDEOS = flags.DEFINE_string(
    "videos", "", "Folder of videos for the input pipeline; '': the embedded ones, which are small."
)
_TORCH = flags.DEFINE_string("torch_python", "", "An interpreter that has PyTorch.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Alternations; medians are over them.")

# What reads shards, of a split train or test.
_ON_SHARDS = ("input_pipeline", "evaluation")
_NAMES = ("train_step", *_ON_SHARDS, "startup", "replicas", "growth", "memory", "serving")


def main(unused_argv):
    """Runs the benchmarks and prints the table of goals."""
    failed = [name for name in _NAMES if not _done(name) and not _run(name)]
    goals = [goal for name in _NAMES if _done(name) for goal in _goals(name)]
    table = outcome.table(["benchmark", "goal", "measured", "bound", "met"], goals)
    pathlib.Path(_OUTPUT.value, "everything.md").write_text(table + "\n", encoding="utf-8")
    print(table)
    if failed:
        sys.exit(f"Not measured, see above: {', '.join(failed)}.")


def _done(name):
    return pathlib.Path(_OUTPUT.value, f"{name}.json").exists()


def _run(name):
    arguments = [f"--output={_OUTPUT.value}"]
    if name not in ("memory", "serving"):
        arguments.append(f"--rounds={_ROUNDS.value}")
    if name in _ON_SHARDS:
        arguments.append(f"--data_dir={_shards()}")
    if name == "train_step":
        arguments.append(f"--torch_python={_TORCH.value}")
    try:
        studies.run("-m", f"benchmarks.{name}", *arguments)
    except subprocess.CalledProcessError as error:
        print(f"benchmarks.{name} failed with {error.returncode}.", file=sys.stderr, flush=True)
    return _done(name)


def _shards():
    if not _VIDEOS.value:
        return embedded.records()
    shards = os.path.join(_OUTPUT.value, "shards")
    studies.run(
        *("-m", "tfrecords_tools.convert", "--dataset=folder", "--test_fraction=0.2"),
        *(f"--videos={_VIDEOS.value}", f"--output={shards}"),
    )
    return shards


def _goals(name):
    found = json.loads(pathlib.Path(_OUTPUT.value, f"{name}.json").read_text(encoding="utf-8"))
    names = ("name", "reached", "bound", "at_least")
    return [
        [name, *outcome.Goal(**{key: goal[key] for key in names}).row()] for goal in found["goals"]
    ]


if __name__ == "__main__":
    app.run(main)
