# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""How long it takes from the command to the first training step.

    python -m benchmarks.startup --output=DIR

A run of one step, to the end of the process: its checkpoint and its summaries count too.
"""

import statistics
import subprocess
import sys
import tempfile
import time

from absl import app, flags

from benchmarks import outcome, turns

_OUTPUT = flags.DEFINE_string("output", None, "Folder for startup.json and startup.md.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Runs; the median is over them.")

_COMMAND = ("train.py", "--gin_file=pretrain.gin", "--gin_param=trainer.Loop.train_steps = 1")


def main(unused_argv):
    """Runs the command several times and prints the table."""
    if not _OUTPUT.value:
        raise app.UsageError("--output=DIR is where the results go.")
    _seconds()  # Makes the embedded records, and Python's caches.
    seconds = [_seconds() for _ in range(_ROUNDS.value)]
    median = statistics.median(seconds)
    row = [f"{median:.1f}", f"{min(seconds):.1f}", f"{max(seconds):.1f}"]
    outcome.write(
        _OUTPUT.value,
        "startup",
        tables=[outcome.table(["median seconds", "least", "most"], [row])],
        goals=[outcome.Goal("seconds to the first step", median, 15.0, at_least=False)],
        raw={"seconds": seconds},
    )


def _seconds():
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        command = [sys.executable, *_COMMAND, f"--model_dir={folder}/run", "--mode=train"]
        subprocess.run(command, cwd=turns.ROOT, stdout=subprocess.DEVNULL, check=True)
        return time.perf_counter() - start


if __name__ == "__main__":
    app.run(main)
