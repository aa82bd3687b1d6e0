# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What a detector learns from the embedded films of actors, beside single frames and chance.

    python -m benchmarks.detection --output=DIR

What is done already is passed over, so the same command goes on after an interruption.
"""

import json
import os
import pathlib
import statistics

import numpy as np
from absl import app, flags

from benchmarks import outcome, studies
from official_cvrl import detection_metrics, embedded, manifest
from official_cvrl.data import clip_format, detection

_OUTPUT = flags.DEFINE_string("output", None, "Folder for the runs.", required=True)
_SEEDS = flags.DEFINE_integer("seeds", 3, "Runs of each row, seeds 0, 1, …")

_ROWS = {"8 frames": (), "single frames": ("NUM_FRAMES = 1",)}


def main(unused_argv):
    """Trains each row for each seed and prints the table."""
    data_dir = embedded.records("actors")
    found = {name: [_run(name, seed, data_dir) for seed in range(_SEEDS.value)] for name in _ROWS}
    found["chance"] = [_chance(data_dir, seed) for seed in range(_SEEDS.value)]
    rows = [(name, _shown(values)) for name, values in found.items()]
    outcome.write(
        _OUTPUT.value,
        "detection",
        tables=[outcome.table(("input", "frame mAP"), rows)],
        goals=[],
        raw=found,
    )


def _run(name, seed, data_dir):
    folder = os.path.join(os.path.abspath(_OUTPUT.value), f"{name.replace(' ', '_')}_{seed}")
    results = pathlib.Path(folder, "results.json")
    if not results.exists():
        params = (f"SEED = {seed}", *_ROWS[name])
        studies.run(
            *("train.py", "--gin_file=detect.gin", f"--data_dir={data_dir}"),
            *(f"--model_dir={folder}", *(f"--gin_param={param}" for param in params)),
        )
    return json.loads(results.read_text())["frame_map"]


def _chance(data_dir, seed):
    """The same boxes with random scores."""
    shards = manifest.find_shards(data_dir, "test")
    clip = clip_format.ClipFormat(num_frames=1, temporal_stride=1, min_resize=8, crop_size=8)
    tested = detection.TestInput(
        clip=clip, longest_side=8, boxes_from="ground_truth", max_boxes=8, global_batch_size=8
    )
    batches = list(tested.batches(shards).as_numpy_iterator())
    boxes, labels, there = (
        np.concatenate([batch[name] for batch in batches])
        for name in ("boxes", "labels", "is_truth")
    )
    scores = np.random.default_rng(seed).random(labels.shape)
    truth, said = (
        detection_metrics.Boxes(f, boxes[f, b], c, scores[f, b, c])
        for f, b, c in (np.nonzero(labels), np.nonzero(there[..., np.newaxis] + 0 * labels))
    )
    return detection_metrics.average_precisions(truth, said, num_classes=labels.shape[-1]).mean


def _shown(values):
    spread = f" ± {statistics.stdev(values):.1%}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1%}{spread}"


if __name__ == "__main__":
    app.run(main)
