# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Two replicas on the cores of this machine against one that has them all, same global batch.

python -m benchmarks.replicas --output=DIR
"""

from absl import app, flags

from benchmarks import outcome, turns
from official_cvrl import commands

_OUTPUT = flags.DEFINE_string("output", None, "Folder for replicas.json and replicas.md.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Alternations; medians are over them.")

_STEP = {"precision": "mixed_bfloat16", "videos": 2, "num_frames": 16, "crop_size": 224}
_ONE, _TWO, _LOCAL = "one replica", "two, synchronised batch norm", "two, batch norm of their own"


def main(unused_argv):
    """Measures and prints the table."""
    if not _OUTPUT.value:
        raise app.UsageError("--output=DIR is where the results go.")
    module, two = "benchmarks.peers.own_step", _STEP | {"replicas": 2}
    contenders = [
        turns.Contender(_ONE, module, _STEP),
        turns.Contender(_TWO, module, two),
        turns.Contender(_LOCAL, module, two | {"backbone": {"synchronized": False}}),
    ]
    rounds = turns.alternate(contenders, rounds=_ROUNDS.value)
    rows = [[name, f"{turns.median(rounds, name, 'seconds'):.2f}"] for name in rounds[0]]
    goals = [
        outcome.Goal(f"speed, {name}", turns.median_ratio(rounds, _ONE, name, "seconds"), 0.95)
        for name in (_TWO, _LOCAL)
    ]
    table = outcome.table(["replicas", "seconds a step"], rows)
    outcome.write(_OUTPUT.value, "replicas", tables=[table], goals=goals, raw=rounds)


if __name__ == "__main__":
    app.run(main, flags_parser=commands.parse_flags)
