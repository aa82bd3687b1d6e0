# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""How long it takes from the command to the first training step.

    python -m benchmarks.startup --output=DIR

To the line that tells of the step, and to the end of the process, with its checkpoint.
"""

import statistics
import subprocess
import sys
import tempfile
import time

from absl import app, flags

from benchmarks import outcome, turns
from official_cvrl import commands

_OUTPUT = flags.DEFINE_string("output", None, "Folder for startup.json and startup.md.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Runs; the median is over them.")

_COMMAND = ("train.py", "--gin_file=pretrain.gin", "--gin_param=trainer.Loop.train_steps = 1")


def main(unused_argv):
    """Runs the command several times and prints the table."""
    if not _OUTPUT.value:
        raise app.UsageError("--output=DIR is where the results go.")
    _seconds()  # Makes the embedded records, and Python's caches.
    runs = [_seconds() for _ in range(_ROUNDS.value)]
    seconds = dict(zip(("first step", "end"), zip(*runs, strict=True), strict=True))
    rows = [
        [name, *(f"{of(values):.1f}" for of in (statistics.median, min, max))]
        for name, values in seconds.items()
    ]
    first = statistics.median(seconds["first step"])
    outcome.write(
        _OUTPUT.value,
        "startup",
        tables=[outcome.table(["to", "median seconds", "least", "most"], rows)],
        goals=[outcome.Goal("seconds to the first step", first, 15.0, at_least=False)],
        raw={"seconds": seconds},
    )


def _seconds():
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        command = [sys.executable, *_COMMAND, f"--model_dir={folder}/run", "--mode=train"]
        with subprocess.Popen(
            command, cwd=turns.ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as run:
            told = [time.perf_counter() for line in run.stdout if " 1/1 steps" in line]
        if run.returncode or not told:
            raise RuntimeError(f"{' '.join(command)} ended with {run.returncode} and no step")
        return told[0] - start, time.perf_counter() - start


if __name__ == "__main__":
    app.run(main, flags_parser=commands.parse_flags)
