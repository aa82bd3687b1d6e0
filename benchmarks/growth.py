# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Whether a clip costs the same in a batch of any size, when a step takes it in chunks.

    python -m benchmarks.growth --output=DIR

A small model: what would grow with the batch does not depend on the model's size.
"""

from absl import app, flags

from benchmarks import outcome, turns
from official_cvrl import commands

_OUTPUT = flags.DEFINE_string("output", None, "Folder for growth.json and growth.md.")
_ROUNDS = flags.DEFINE_integer("rounds", 9, "Alternations; medians are over them.")

_VIDEOS = (2, 4, 8, 16, 32, 64)
_SETTINGS = {
    "precision": "float32",
    "num_frames": 8,
    "crop_size": 112,
    "chunk_size": 2,
    "backbone": {"depth": 18, "width_multiplier": 0.25},
    "head": {"num_hidden_layers": 1, "hidden_dim": 256, "output_dim": 64},
}


def main(unused_argv):
    """Measures each batch size in a process of its own and prints the table."""
    if not _OUTPUT.value:
        raise app.UsageError("--output=DIR is where the results go.")
    contenders = [
        turns.Contender(str(videos), "benchmarks.peers.own_step", _SETTINGS | {"videos": videos})
        for videos in _VIDEOS
    ]
    rounds = turns.alternate(contenders, rounds=_ROUNDS.value)
    first = str(_VIDEOS[0])
    rows, goals = [], []
    for videos in _VIDEOS:
        seconds = turns.median(rounds, str(videos), "seconds")
        memory = turns.median(rounds, str(videos), "peak_mb")
        rows.append([videos, f"{seconds / (2 * videos) * 1e3:.1f}", f"{memory:,.0f}"])
    for name, measure, per_video in (
        ("time a clip", "seconds", True),
        ("memory", "peak_mb", False),
    ):
        growth = turns.median_ratio(rounds, str(_VIDEOS[-1]), first, measure)
        growth *= _VIDEOS[0] / _VIDEOS[-1] if per_video else 1
        title = f"{name}, {_VIDEOS[-1]} videos over {first}"
        goals.append(outcome.Goal(title, growth, 1.05, at_least=False))
    table = outcome.table(["videos", "ms a clip", "peak MB"], rows)
    outcome.write(_OUTPUT.value, "growth", tables=[table], goals=goals, raw=rounds)


if __name__ == "__main__":
    app.run(main, flags_parser=commands.parse_flags)
