# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The paper's ablations and baselines at a scale that two cores can do, several seeds each.

    python -m benchmarks.small_study --output=DIR
    python -m benchmarks.small_study --output=DIR --videos=UCF_VIDEOS --annotations=UCF_SPLITS

On the embedded data, or on any part of UCF-101. What is done already is passed over, so the same
command goes on after an interruption. Results of docs/results.md.
"""

import os

from absl import app, flags

from benchmarks import studies, ucf101_records
from official_cvrl import commands, embedded, errors

_OUTPUT = flags.DEFINE_string("output", None, "Folder for the runs.", required=True)
_VIDEOS = flags.DEFINE_string("videos", "", "Folder of UCF-101's CLASS/VIDEO.avi; '': embedded.")
_ANNOTATIONS = flags.DEFINE_string("annotations", "", "Folder of UCF-101's official splits.")
_SEEDS = flags.DEFINE_integer("seeds", 3, "Runs of each row, seeds 0, 1, …")
_ROWS_ASKED = flags.DEFINE_list("rows", [], "Names of rows; all of them if none are named.")
_PARAMS = flags.DEFINE_multi_string("gin_param", [], "Bindings for pre-training.")

_NO_SPATIAL = (
    "augment.Augmentation.random_crop = False",
    "augment.Augmentation.flip_probability = 0.0",
    "augment.Augmentation.jitter_probability = 0.0",
    "augment.Augmentation.grey_probability = 0.0",
    "augment.Augmentation.blur_probabilities = (0.0, 0.0)",
)
_INCONSISTENT = "augment.Augmentation.temporally_consistent = False"
_NO_TEMPORAL = ("pipeline.two_view_batches.temporal_augmentation = False",)
# Half the batch for as many videos, and the rate in proportion.
_HALF_BATCH = ("GLOBAL_BATCH_SIZE = 16", "TRAIN_STEPS = 1200", "LEARNING_RATE = 0.0005")
_ONE_FRAME = ("NUM_FRAMES = 1",)
_FLAT = (
    *_ONE_FRAME,
    "resnet_3d.ResNet3D.stem_temporal_kernel_size = 1",
    "resnet_3d.ResNet3D.temporal_kernel_sizes = (1, 1, 1, 1)",
    *_NO_TEMPORAL,
)
_SUPERVISED = (
    "classify.Classification.frozen = False",
    "heads.LinearClassifier.normalize_embedding = False",
    "LEARNING_RATE = 0.1",
)


def _ablation(name, *params):
    return studies.Row(name, pretrain_params=params)


_ROWS = (
    studies.Row("CVRL"),
    _ablation("temporal augmentation alone", *_NO_SPATIAL),
    _ablation("spatial alone, inconsistent", *_NO_TEMPORAL, _INCONSISTENT),
    _ablation("both, inconsistent", _INCONSISTENT),
    _ablation("spatial augmentation alone", *_NO_TEMPORAL),
    _ablation("uniform intervals", "pipeline.two_view_batches.trend = 'uniform'"),
    _ablation("increasing intervals", "pipeline.two_view_batches.trend = 'increasing'"),
    _ablation("no hidden layer", "heads.ProjectionHead.num_hidden_layers = 0"),
    _ablation("3 hidden layers", "heads.ProjectionHead.num_hidden_layers = 3"),
    _ablation("batches of 16", *_HALF_BATCH),
    _ablation("SimCLR, inflated", *_FLAT),
    studies.Row("single frames", params=_ONE_FRAME),
    studies.Row("random weights", pretrained=False),
    studies.Row("supervised", pretrained=False, params=_SUPERVISED),
    studies.Row("supervised single frames", pretrained=False, params=_SUPERVISED + _ONE_FRAME),
)


def main(unused_argv):
    """Runs each row for each seed and prints the table; returns the exit code."""
    return commands.exit_code(_run, interrupted="Interrupted. The same command goes on.")


def _run():
    if bool(_VIDEOS.value) != bool(_ANNOTATIONS.value):
        raise errors.UserError("--videos and --annotations go together.")
    names = [row.name for row in _ROWS]
    if unknown := sorted(set(_ROWS_ASKED.value) - set(names)):
        raise errors.UserError(f"--rows={','.join(unknown)}: the rows are {'; '.join(names)}.")
    os.makedirs(_OUTPUT.value, exist_ok=True)
    study = studies.Study(
        data_dir=_records(),
        output=_OUTPUT.value,
        pretrain_params=_PARAMS.value,
        num_seeds=_SEEDS.value,
    )
    print(study.table([row for row in _ROWS if row.name in (_ROWS_ASKED.value or names)]))


def _records():
    if not _VIDEOS.value:
        return embedded.records()
    return ucf101_records.make(_VIDEOS.value, _ANNOTATIONS.value, _OUTPUT.value)


if __name__ == "__main__":
    app.run(main, flags_parser=commands.parse_flags)
