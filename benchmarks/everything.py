# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Every benchmark of speed and memory, one after the other, and all goals in one table.

    python -m benchmarks.everything --output=DIR [--videos=MY_VIDEOS] [--torch_python=PATH]

Nothing else should run meanwhile; it takes about an hour on two cores. What the same command has
measured before is passed over, so it goes on after an interruption.
"""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

from absl import app, flags

from benchmarks import outcome, studies
from official_cvrl import commands, embedded, outputs

_OUTPUT = flags.DEFINE_string("output", None, "Folder for the results.", required=True)
_VIDEOS = flags.DEFINE_string(
    "videos", "", "Folder of videos for the input pipeline; '': the embedded ones, which are small."
)
_TORCH = flags.DEFINE_string("torch_python", "", "An interpreter that has PyTorch.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Alternations; medians are over them.")

# What each takes beside --output.
_BENCHMARKS = {
    "train_step": ("rounds", "torch_python"),
    "input_pipeline": ("rounds", "data_dir"),
    "evaluation": ("rounds", "data_dir"),
    "startup": ("rounds",),
    "replicas": ("rounds",),
    "growth": ("rounds",),
    "memory": (),
    "serving": ("rounds",),
}


def main(unused_argv):
    """Runs the benchmarks and prints the table of goals; returns the exit code."""
    return commands.exit_code(_run_all, interrupted="Interrupted. The same command goes on.")


def _run_all():
    values = {
        "rounds": _ROUNDS.value,
        "torch_python": _TORCH.value,
        "data_dir": _shards(),
    }
    goals, failed = [], []
    for name, flags_taken in _BENCHMARKS.items():
        arguments = [f"--{flag}={values[flag]}" for flag in flags_taken]
        found = _result(name, [f"--output={_OUTPUT.value}", *arguments])
        if found:
            goals += [[name, *row] for row in _rows(found["goals"])]
        else:
            failed.append(name)
    table = outcome.table(["benchmark", "goal", "measured", "bound", "met"], goals)
    with outputs.whole_file(os.path.join(_OUTPUT.value, "everything.md")) as file:
        file.write(f"{table}\n".encode())
    print(table)
    if failed:
        print(f"Not measured, see above: {', '.join(failed)}.", file=sys.stderr)
    return int(bool(failed))


def _result(name, arguments):
    """What was found by this very command, before or now; None if it failed."""
    if found := _found(name, arguments):
        return found
    try:
        studies.run("-m", f"benchmarks.{name}", *arguments)
    except subprocess.CalledProcessError as error:
        print(f"benchmarks.{name} failed with {error.returncode}.", file=sys.stderr, flush=True)
    return _found(name, arguments)


def _found(name, arguments):
    path = pathlib.Path(_OUTPUT.value, f"{name}.json")
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found if found.get("command") == outcome.command(name, arguments) else None


def _shards():
    if not _VIDEOS.value:
        return embedded.records()
    shards = os.path.join(_OUTPUT.value, "shards")
    studies.run(
        *("-m", "tfrecords_tools.convert", "--dataset=folder", "--test_fraction=0.2"),
        *(f"--videos={_VIDEOS.value}", f"--output={shards}"),
    )
    return shards


def _rows(goals):
    fields = [field.name for field in dataclasses.fields(outcome.Goal)]
    return [outcome.Goal(**{name: goal[name] for name in fields}).row() for goal in goals]


if __name__ == "__main__":
    app.run(main, flags_parser=commands.parse_flags)
