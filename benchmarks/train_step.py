# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""One pre-training step against the published code's, PyTorch's, and the machine's limit.

    python -m benchmarks.train_step --output=DIR [--torch_python=PATH]

R3D-50 with its head on 2 videos, 4 clips of 16 × 224²: forward, backward, update.
PyTorch joins if it is installed somewhere (`pip install torch==2.13.0 numpy` into an environment
of its own); its interpreter is the flag.
"""

from absl import app, flags

from benchmarks import outcome, turns
from official_cvrl import commands

_OUTPUT = flags.DEFINE_string("output", None, "Folder for train_step.json and train_step.md.")
_TORCH = flags.DEFINE_string("torch_python", "", "An interpreter that has PyTorch.")
_ROUNDS = flags.DEFINE_integer("rounds", 7, "Alternations; medians are over them.")
_PRECISIONS = flags.DEFINE_list("precisions", ["mixed_bfloat16", "float32"], "Which to measure.")

_VIDEOS = 2
_CLIP = {"videos": _VIDEOS, "num_frames": 16, "crop_size": 224}
# Multiplications and additions of convolutions and dense layers, forward and backward, of a clip.
_GFLOP_PER_CLIP = 273
_DTYPES = {"mixed_bfloat16": "bfloat16", "float32": "float32"}
# The least ratios of seconds: over the published code's, over PyTorch's.
_SPEEDUPS = {"mixed_bfloat16": (1.6, 1.25), "float32": (1.2, 1.3)}
_LIMIT_SHARE = 0.8
_OURS, _RECOMPUTED = "ours", "ours, recomputed"
_PUBLISHED, _TORCH_NAME, _LIMIT = "published code", "PyTorch", "matmul"


def main(unused_argv):
    """Measures each precision and prints the tables."""
    if not _OUTPUT.value:
        raise app.UsageError("--output=DIR is where the results go.")
    raw = {
        precision: turns.alternate(_contenders(precision), rounds=_ROUNDS.value)
        for precision in _PRECISIONS.value
    }
    outcome.write(
        _OUTPUT.value,
        "train_step",
        tables=[_table(precision, rounds) for precision, rounds in raw.items()],
        goals=[goal for precision, rounds in raw.items() for goal in _goals(precision, rounds)],
        raw=raw,
    )


def _contenders(precision):
    step, own = _CLIP | {"precision": precision}, "benchmarks.peers.own_step"
    contenders = [
        turns.Contender(_OURS, own, step),
        turns.Contender(_PUBLISHED, "benchmarks.peers.published_step", step),
        turns.Contender(_LIMIT, "benchmarks.peers.matmul", {"dtype": _DTYPES[precision]}),
        turns.Contender(_RECOMPUTED, own, step | {"backbone": {"recompute": True}}),
    ]
    if _TORCH.value:
        module = "benchmarks.peers.torch_step"
        contenders.insert(1, turns.Contender(_TORCH_NAME, module, step, python=_TORCH.value))
    return contenders


def _table(precision, rounds):
    rows = []
    limit = turns.median(rounds, _LIMIT, "gflops")
    for name in rounds[0]:
        if name == _LIMIT:
            rows.append([f"{precision} {name}", "", "", f"{limit:.0f}", "", ""])
            continue
        seconds = turns.median(rounds, name, "seconds")
        rows.append(
            [
                f"{precision} {name}",
                f"{seconds:.2f}",
                f"{turns.median_ratio(rounds, name, _OURS, 'seconds'):.2f}",
                f"{2 * _VIDEOS * _GFLOP_PER_CLIP / seconds:.0f}",
                f"{turns.median(rounds, name, 'peak_mb'):,.0f}",
                f"{turns.median(rounds, name, 'step_mb'):,.0f}",
            ]
        )
    header = ["step", "seconds", "of ours", "GFLOP/s", "peak MB", "of them the step's"]
    return outcome.table(header, rows)


def _goals(precision, rounds):
    over_published, over_torch = _SPEEDUPS[precision]
    published = turns.median_ratio(rounds, _PUBLISHED, _OURS, "seconds")
    goals = [outcome.Goal(f"{precision}: speed over published", published, over_published)]
    shares = [
        {_OURS: {"rate": 2 * _VIDEOS * _GFLOP_PER_CLIP / turn[_OURS]["seconds"]},
         _LIMIT: {"rate": turn[_LIMIT]["gflops"]}}
        for turn in rounds
    ]  # fmt: skip
    share = turns.median_ratio(shares, _OURS, _LIMIT, "rate")
    goals.append(outcome.Goal(f"{precision}: share of the matmul rate", share, _LIMIT_SHARE))
    if _TORCH.value:
        torch = turns.median_ratio(rounds, _TORCH_NAME, _OURS, "seconds")
        goals.append(outcome.Goal(f"{precision}: speed over PyTorch", torch, over_torch))
        for name, bound in ((_OURS, 1.0), (_RECOMPUTED, 0.5)):
            memory = turns.median_ratio(rounds, name, _TORCH_NAME, "peak_mb")
            title = f"{precision}: peak memory, {name}, of PyTorch's"
            goals.append(outcome.Goal(title, memory, bound, at_least=False))
    return goals


if __name__ == "__main__":
    app.run(main, flags_parser=commands.parse_flags)
