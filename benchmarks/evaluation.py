# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Linear evaluation against its backbone's forward pass; dense views against the published code.

    python -m benchmarks.evaluation --output=DIR --data_dir=SHARDS

R3D-50. A turn on dense views opens the shards anew, so that nothing was decoded in the other's
turn.
"""

from absl import app, flags

from benchmarks import outcome, turns
from official_cvrl import commands

_OUTPUT = flags.DEFINE_string("output", None, "Folder for evaluation.json and evaluation.md.")
_DATA = flags.DEFINE_string("data_dir", None, "Folder of shards with a split test.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Alternations; medians are over them.")

_CLIP = {"precision": "mixed_bfloat16", "num_frames": 16, "crop_size": 224}
_TEST = _CLIP | {
    "what": "views",
    "videos": 2,
    "temporal_stride": 2,
    "min_resize": 256,
    "num_test_clips": 10,
    "num_test_crops": 3,
}
_STEP, _FORWARD = "linear step", "forward"
_OURS, _PUBLISHED = "ours", "published code"
_MODULE = "benchmarks.peers.own_evaluation"


def main(unused_argv):
    """Measures and prints the tables."""
    if not (_OUTPUT.value and _DATA.value):
        raise app.UsageError("--output=DIR is where the results go, --data_dir=DIR has the shards.")
    linear = turns.alternate(
        [
            turns.Contender(what, _MODULE, _CLIP | {"what": what, "videos": 4})
            for what in (_STEP, _FORWARD)
        ],
        rounds=2 * _ROUNDS.value,
    )
    test = _TEST | {"data_dir": _DATA.value}
    views = turns.alternate(
        [
            turns.Contender(_OURS, _MODULE, test),
            turns.Contender(_PUBLISHED, "benchmarks.peers.published_views", test),
        ],
        rounds=_ROUNDS.value,
    )
    outcome.write(
        _OUTPUT.value,
        "evaluation",
        tables=[
            _table("4 clips", linear, "seconds"),
            _table("10 × 3 views", views, "views_per_second"),
        ],
        goals=[
            outcome.Goal(
                "linear step over forward pass",
                turns.median_ratio(linear, _STEP, _FORWARD, "seconds"),
                1.1,
                at_least=False,
            ),
            outcome.Goal(
                "views a second over published",
                turns.median_ratio(views, _OURS, _PUBLISHED, "views_per_second"),
                1.3,
            ),
        ],
        raw={"linear": linear, "views": views},
    )


def _table(title, rounds, measure):
    rows = [[name, f"{turns.median(rounds, name, measure):.2f}"] for name in rounds[0]]
    return outcome.table([title, measure.replace("_", " ")], rows)


if __name__ == "__main__":
    app.run(main, flags_parser=commands.parse_flags)
