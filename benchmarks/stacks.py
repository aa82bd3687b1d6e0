# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""One pre-training step on both stacks, in turns.

    python -m benchmarks.stacks --output=DIR [--python=.venv-tf215/bin/python]

R3D-50 with its head on 2 videos, 4 clips of 16 × 224²: forward, backward, update. Run it with the
default stack; the flag is the interpreter of the other.
"""

from absl import app, flags

from benchmarks import outcome, turns
from official_cvrl import commands

_OUTPUT = flags.DEFINE_string("output", None, "Folder for stacks.json and stacks.md.")
_PYTHON = flags.DEFINE_string("python", ".venv-tf215/bin/python", "An interpreter with 2.15.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Alternations; medians are over them.")
_PRECISIONS = ("mixed_bfloat16", "float32")
_STEP = {"videos": 2, "num_frames": 16, "crop_size": 224}
_STACKS = ("TensorFlow 2.20", "TensorFlow 2.15")


def main(unused_argv):
    """Measures each precision and prints the table."""
    if not _OUTPUT.value:
        raise app.UsageError("--output=DIR is where the results go.")
    raw, rows = {}, []
    for precision in _PRECISIONS:
        raw[precision] = turns.alternate(_contenders(precision), rounds=_ROUNDS.value)
        seconds = [turns.median(raw[precision], stack, "seconds") for stack in _STACKS]
        ratio = turns.median_ratio(raw[precision], *reversed(_STACKS), "seconds")
        rows.append([precision, *(f"{value:.2f}" for value in seconds), f"{ratio:.2f}"])
    header = ["precision", *(f"{stack}, seconds" for stack in _STACKS), "2.15 / 2.20"]
    table = outcome.table(header, rows)
    outcome.write(_OUTPUT.value, "stacks", tables=[table], goals=[], raw=raw)


def _contenders(precision):
    new, old = _STACKS
    module, settings = "benchmarks.peers.own_step", _STEP | {"precision": precision}
    return [
        turns.Contender(new, module, settings),
        turns.Contender(old, module, settings, python=_PYTHON.value),
    ]


if __name__ == "__main__":
    app.run(main, flags_parser=commands.parse_flags)
