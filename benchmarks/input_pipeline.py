# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The input pipeline against the published code's, on the same shards.

    python -m benchmarks.input_pipeline --output=DIR --data_dir=SHARDS

SHARDS is what `tfrecords_tools.convert` made, of real videos if the numbers are to mean something.
"""

from absl import app, flags

from benchmarks import outcome, turns
from official_cvrl import commands

_OUTPUT = flags.DEFINE_string("output", None, "Folder for input_pipeline.json and .md.")
_DATA = flags.DEFINE_string("data_dir", None, "Folder of shards with a split train.")
_ROUNDS = flags.DEFINE_integer("rounds", 7, "Alternations; medians are over them.")

_SETTINGS = {
    "split": "train",
    "videos": 4,
    "num_frames": 16,
    "crop_size": 224,
    "temporal_stride": 2,
    "num_batches": 12,
}
_HOST, _WHOLE, _PUBLISHED = "ours, host part", "ours, with colours", "published code"


def main(unused_argv):
    """Measures and prints the table."""
    if not (_OUTPUT.value and _DATA.value):
        raise app.UsageError("--output=DIR is where the results go, --data_dir=DIR has the shards.")
    settings, own = _SETTINGS | {"data_dir": _DATA.value}, "benchmarks.peers.own_input"
    contenders = [
        turns.Contender(_HOST, own, settings | {"colours": False}),
        turns.Contender(_WHOLE, own, settings | {"colours": True}),
        turns.Contender(_PUBLISHED, "benchmarks.peers.published_input", settings),
    ]
    rounds = turns.alternate(contenders, rounds=_ROUNDS.value)
    rows = [
        [
            name,
            f"{turns.median(rounds, name, 'processor_ms'):.1f}",
            f"{turns.median(rounds, name, 'clips_per_second'):.1f}",
        ]
        for name in rounds[0]
    ]
    goals = [
        outcome.Goal(f"{name}: clips per processor second, of published", _gain(rounds, name), goal)
        for name, goal in ((_HOST, 4.0), (_WHOLE, 2.0))
    ]
    header = ["pipeline", "processor ms a clip", "clips a second"]
    table = outcome.table(header, rows)
    outcome.write(_OUTPUT.value, "input_pipeline", tables=[table], goals=goals, raw=rounds)


def _gain(rounds, name):
    return turns.median_ratio(rounds, _PUBLISHED, name, "processor_ms")


if __name__ == "__main__":
    app.run(main, flags_parser=commands.parse_flags)
