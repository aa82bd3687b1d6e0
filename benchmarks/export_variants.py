# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What exports of one model cost: in float32 and in bfloat16, as they are and compiled with XLA.

    python -m benchmarks.export_variants --output=DIR [--model_dir=RUN]

Without a run: an R3D-50 of random weights on the paper's clips of 32 × 224². Round after round
each variant is loaded by a process of its own, with plain TensorFlow, and asked for raw clips of
the size that the model resizes to. What is exported stays in the output folder for the next time.
"""

import os
import pathlib
import statistics

import official_cvrl  # noqa: F401  isort: skip  (selects legacy Keras before TensorFlow is imported)
import numpy as np
import tensorflow as tf
from absl import app, flags, logging

from benchmarks import outcome, turns
from official_cvrl import commands, run_info
from official_cvrl.data import clip_format
from official_cvrl.modeling import resnet_3d
from official_cvrl.serving import export

_OUTPUT = flags.DEFINE_string(
    "output", None, "Folder for export_variants.json and .md.", required=True
)
_MODEL_DIR = flags.DEFINE_string("model_dir", "", "Folder of a training run.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Alternations; medians are over them.")
_SECONDS = flags.DEFINE_float("seconds", 5.0, "To ask for with a batch in a round.")

_PAPER = clip_format.ClipFormat(num_frames=32, temporal_stride=2, min_resize=256, crop_size=224)
_BATCHES = (1, 8)
_EXACT = "float32"
_VARIANTS = {
    _EXACT: export.Options(dtype="float32"),
    "bfloat16": export.Options(dtype="bfloat16"),
    "float32, XLA": export.Options(dtype="float32", xla=True),
    "bfloat16, XLA": export.Options(dtype="bfloat16", xla=True),
}


def main(unused_argv):
    """Exports, measures and prints the tables."""
    logging.set_verbosity(logging.ERROR)
    tf.get_logger().setLevel("ERROR")
    run = _MODEL_DIR.value or _random_run()
    folders = {name: _exported(run, name) for name in _VARIANTS}
    clip = run_info.read_trained(run).clip
    frames = [clip.num_frames, clip.min_resize, clip.min_resize * 4 // 3]
    contenders = [
        turns.Contender(
            name,
            "benchmarks.peers.saved_model",
            {
                "saved_model": folder,
                "frames": frames,
                "batches": _BATCHES,
                "seconds": _SECONDS.value,
            },
        )
        for name, folder in folders.items()
    ]
    rounds = [_round(contenders, number) for number in range(_ROUNDS.value)]
    sizes = [_size_row(name, folder, rounds) for name, folder in folders.items()]
    answers = [_answer_row(name, batch, rounds) for name in folders for batch in _BATCHES]
    tables = [
        outcome.table(
            ["", "on disk (MB)", "load (s)", "memory then (MB)", "at most (MB)", "differs by"],
            sizes,
        ),
        outcome.table(
            ["", "clips", "requests", "first (s)", "p50 (s)", "p99 (s)", "embeddings a second"],
            answers,
        ),
    ]
    outcome.write(_OUTPUT.value, "export_variants", tables=tables, goals=[], raw=rounds)


def _random_run():
    run = os.path.join(_OUTPUT.value, "run")
    if not os.path.exists(run):
        os.makedirs(run)
        backbone = resnet_3d.ResNet3D(depth=50)
        run_info.write(run, run_info.RunInfo("nowhere", backbone.get_config(), _PAPER))
        tf.train.CheckpointManager(tf.train.Checkpoint(backbone=backbone), run, 1).save(1)
    return run


def _exported(run, name):
    folder = os.path.join(_OUTPUT.value, name.replace(", ", "_"))
    version = os.path.join(folder, "1")
    return (
        version if os.path.exists(version) else export.export(run, folder, options=_VARIANTS[name])
    )


def _round(contenders, number):
    """Each in a new process, which is gone before the next: memory holds one model at a time."""
    in_turn = contenders if number % 2 == 0 else contenders[::-1]
    measured = {}
    for contender in in_turn:
        measured |= turns.alternate([contender], rounds=1)[0]
    exact = np.array(measured[_EXACT]["embedding"])
    for found in measured.values():
        difference = np.abs(np.array(found.pop("embedding")) - exact).max()
        found["difference"] = float(difference / np.abs(exact).max())
    return measured


def _size_row(name, folder, rounds):
    files = [path for path in pathlib.Path(folder).rglob("*") if path.is_file()]
    return [
        name,
        f"{sum(path.stat().st_size for path in files) / 1e6:,.1f}",
        f"{turns.median(rounds, name, 'load_seconds'):.2f}",
        f"{turns.median(rounds, name, 'loaded_mb'):,.0f}",
        f"{turns.median(rounds, name, 'peak_mb'):,.0f}",
        "" if name == _EXACT else f"{turns.median(rounds, name, 'difference'):.1e}",
    ]


def _answer_row(name, batch, rounds):
    latencies = [measured[name][f"latencies_{batch}"] for measured in rounds]
    p50, p99 = np.percentile(np.concatenate(latencies), [50, 99])
    first = turns.median(rounds, name, f"first_{batch}")
    rate = batch / statistics.median(map(statistics.median, latencies))
    count = f"{sum(map(len, latencies)):,}"
    return [name, batch, count, *map(_three_digits, (first, p50, p99, rate))]


def _three_digits(number):
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


if __name__ == "__main__":
    app.run(main, flags_parser=commands.parse_flags)
