# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The paper's ablations and baselines at a scale that two cores can do, several seeds each.

    python -m benchmarks.small_study --output=DIR
    python -m benchmarks.small_study --output=DIR --videos=UCF_VIDEOS --annotations=UCF_SPLITS

On the embedded data, or on any part of UCF-101: trained on its training groups, probed on groups
never seen. What is done already is passed over, so the same command goes on after an interruption.
Results of docs/results.md.
"""

import os

from absl import app, flags

from benchmarks import orderings, outcome, studies, ucf101_records
from official_cvrl import commands, embedded, errors
from official_cvrl.sweep import table

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
_FROM_RANDOM_WEIGHTS = ("run.pretrained = ''", "TRAIN_STEPS = 1")

_ROWS = (
    studies.Row("CVRL"),
    studies.Row("temporal augmentation alone", params=_NO_SPATIAL),
    studies.Row("spatial alone, inconsistent", params=(*_NO_TEMPORAL, _INCONSISTENT)),
    studies.Row("both, inconsistent", params=(_INCONSISTENT,)),
    studies.Row("spatial augmentation alone", params=_NO_TEMPORAL),
    studies.Row("uniform intervals", params=("pipeline.two_view_batches.trend = 'uniform'",)),
    studies.Row("increasing intervals", params=("pipeline.two_view_batches.trend = 'increasing'",)),
    studies.Row("no hidden layer", params=("heads.ProjectionHead.num_hidden_layers = 0",)),
    studies.Row("3 hidden layers", params=("heads.ProjectionHead.num_hidden_layers = 3",)),
    studies.Row("batches of 16", params=_HALF_BATCH),
    # Trained flat on frames; what linear_eval.gin begins with is that, inflated.
    studies.Row("SimCLR, inflated", gin_files=("pretrain.gin", "linear_eval.gin"), params=_FLAT),
    studies.Row("single frames", params=_ONE_FRAME),
    studies.Row("random weights", gin_files=("linear_eval.gin",), params=_FROM_RANDOM_WEIGHTS),
    studies.Row("supervised", gin_files=("supervised.gin",)),
    studies.Row("supervised single frames", gin_files=("supervised.gin",), params=_ONE_FRAME),
)
_NO_NUMBER = float("nan")
_PAPER = (
    orderings.Ordering("CVRL", "temporal augmentation alone", 30.8, "Table 9"),
    orderings.Ordering("CVRL", "spatial alone, inconsistent", 22.9, "Table 9"),
    orderings.Ordering("CVRL", "both, inconsistent", 11.5, "Table 9"),
    orderings.Ordering("both, inconsistent", "temporal augmentation alone", 19.3, "Table 9"),
    orderings.Ordering("both, inconsistent", "spatial alone, inconsistent", 11.4, "Table 9"),
    orderings.Ordering(
        "spatial alone, inconsistent", "temporal augmentation alone", 7.9, "Table 9"
    ),
    orderings.Ordering("CVRL", "uniform intervals", _NO_NUMBER, "Figure 3"),
    orderings.Ordering("CVRL", "increasing intervals", _NO_NUMBER, "Figure 3"),
    orderings.Ordering("CVRL", "no hidden layer", 7.8, "Table 6"),
    orderings.Ordering("3 hidden layers", "CVRL", 1.3, "Table 6"),
    orderings.Ordering("CVRL", "batches of 16", 2.7, "Table 7, 256 and 512"),
    orderings.Ordering("CVRL", "SimCLR, inflated", 19.3, "Table 2"),
    orderings.Ordering("CVRL", "random weights", 9.4, "Table 5, mAP"),
    orderings.Ordering("supervised", "CVRL", 9.9, "Table 2"),
)
_TITLES = {"knn_top1": "kNN top-1", "linear_top1": "linear top-1"}


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
    found = study.run([row for row in _ROWS if row.name in (_ROWS_ASKED.value or names)])
    tables = [table.markdown(found, first="backbone", columns=[*_TITLES], titles=_TITLES)]
    if study.num_seeds > 1:
        tables += [
            f"{title}:\n\n{orderings.table(_PAPER, found, measure)}"
            for measure, title in _TITLES.items()
        ]
    outcome.write(study.output, "small_study", tables=tables, goals=[], raw=found)


def _records():
    if not _VIDEOS.value:
        return embedded.records()
    return ucf101_records.make(_VIDEOS.value, _ANNOTATIONS.value, _OUTPUT.value)


if __name__ == "__main__":
    app.run(main, flags_parser=commands.parse_flags)
