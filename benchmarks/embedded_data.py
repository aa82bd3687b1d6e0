# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What pre-training on the embedded data is worth, beside single frames, random weights, labels.

    python -m benchmarks.embedded_data --output=DIR

What is done already is passed over, so the same command goes on after an interruption.
"""

import os

from absl import app, flags

from benchmarks import studies
from official_cvrl import embedded

_OUTPUT = flags.DEFINE_string("output", None, "Folder for the runs.", required=True)
_SEEDS = flags.DEFINE_integer("seeds", 3, "Runs of each row, seeds 0, 1, …")
_PARAMS = flags.DEFINE_multi_string("gin_param", [], "Bindings for pre-training.")

_ONE_FRAME = ("NUM_FRAMES = 1",)
_SUPERVISED = (
    "classify.Classification.frozen = False",
    "heads.LinearClassifier.normalize_embedding = False",
    "LEARNING_RATE = 0.1",
)
_ROWS = (
    studies.Row("CVRL"),
    studies.Row("single frames", params=_ONE_FRAME),
    studies.Row("random weights", pretrained=False),
    studies.Row("supervised", pretrained=False, params=_SUPERVISED),
    studies.Row("supervised single frames", pretrained=False, params=_SUPERVISED + _ONE_FRAME),
)


def main(unused_argv):
    """Runs each row for each seed and prints the table."""
    os.makedirs(_OUTPUT.value, exist_ok=True)
    study = studies.Study(
        data_dir=embedded.records(),
        output=_OUTPUT.value,
        pretrain_params=_PARAMS.value,
        num_seeds=_SEEDS.value,
    )
    print(study.table(_ROWS))


if __name__ == "__main__":
    app.run(main)
