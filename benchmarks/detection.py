# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What a detector learns from the embedded films of actors, beside single frames and chance.

    python -m benchmarks.detection --output=DIR

What is done already is passed over, so the same command goes on after an interruption.
"""

import dataclasses
import json
import os
import pathlib
import statistics

import numpy as np
from absl import app, flags

from benchmarks import outcome, studies
from official_cvrl import commands, detection_metrics, embedded, manifest
from official_cvrl.data import clip_format, detection

_OUTPUT = flags.DEFINE_string("output", None, "Folder for the runs.", required=True)
_SEEDS = flags.DEFINE_integer("seeds", 3, "Runs of each row, seeds 0, 1, …")

_ROWS = {"8 frames": (), "single frames": ("NUM_FRAMES = 1",)}


def main(unused_argv):
    """Trains each row for each seed and prints the table."""
    data_dir = embedded.records("actors")
    found = {name: [_run(name, seed, data_dir) for seed in range(_SEEDS.value)] for name in _ROWS}
    test, train = (_KeyFrames.read(data_dir, split) for split in ("test", "train"))
    found["every class as often as in training"] = [test.frame_map(train.prevalences)]
    found["random scores"] = [
        test.frame_map(np.random.default_rng(seed).random(test.labels.shape))
        for seed in range(_SEEDS.value)
    ]
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
    frame_map = json.loads(results.read_text())["frame_map"]
    print(f"{name}, seed {seed}: frame mAP {frame_map:.1%}", flush=True)
    return frame_map


@dataclasses.dataclass(frozen=True)
class _KeyFrames:
    """A split's boxes: [frames, boxes, 4], [frames, boxes, classes], and which are there."""

    boxes: np.ndarray
    labels: np.ndarray
    there: np.ndarray

    @classmethod
    def read(cls, data_dir, split):
        shards = manifest.find_shards(data_dir, split)
        clip = clip_format.ClipFormat(num_frames=1, temporal_stride=1, min_resize=8, crop_size=8)
        tested = detection.TestInput(
            clip=clip, longest_side=8, boxes_from="ground_truth", max_boxes=8, global_batch_size=8
        )
        batches = list(tested.batches(shards).as_numpy_iterator())
        parts = (
            np.concatenate([batch[name] for batch in batches])
            for name in ("boxes", "labels", "is_truth")
        )
        return cls(*parts)

    @property
    def prevalences(self):
        """Share of the boxes that have a label, [classes]."""
        return self.labels[self.there > 0].mean(axis=0)

    def frame_map(self, scores):
        """The frame mAP of scores that broadcast to those of all boxes and classes."""
        scores = np.broadcast_to(scores, self.labels.shape)
        truth, said = (
            detection_metrics.Boxes(f, self.boxes[f, b], c, scores[f, b, c])
            for f, b, c in (
                np.nonzero(self.labels),
                np.nonzero(self.there[..., np.newaxis] + 0 * self.labels),
            )
        )
        num_classes = self.labels.shape[-1]
        return detection_metrics.average_precisions(truth, said, num_classes=num_classes).mean


def _shown(values):
    spread = f" ± {statistics.stdev(values):.1%}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1%}{spread}"


if __name__ == "__main__":
    app.run(main, flags_parser=commands.parse_flags)
