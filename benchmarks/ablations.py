# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The rows of the small study, as bindings of configs/, and what the paper says of them."""

from benchmarks import orderings, studies

_NO_SPATIAL = ("AUGMENTATION = @augment.no_spatial()",)
_INCONSISTENT = "augment.Augmentation.temporally_consistent = False"
_NO_TEMPORAL = ("pipeline.two_view_batches.temporal_augmentation = False",)
_HALF_BATCH = ("GLOBAL_BATCH_SIZE = 16", "LEARNING_RATE = 0.0005")
_ONE_FRAME = ("NUM_FRAMES = 1",)
_FLAT = (
    *_ONE_FRAME,
    "resnet_3d.ResNet3D.stem_temporal_kernel_size = 1",
    "resnet_3d.ResNet3D.temporal_kernel_sizes = (1, 1, 1, 1)",
    *_NO_TEMPORAL,
)
_FROM_RANDOM_WEIGHTS = ("run.pretrained = ''", "TRAIN_STEPS = 1")

ROWS = (
    studies.Row("CVRL"),
    studies.Row("temporal augmentation alone", params=_NO_SPATIAL),
    studies.Row("spatial alone, inconsistent", params=(*_NO_TEMPORAL, _INCONSISTENT)),
    studies.Row("both, inconsistent", params=(_INCONSISTENT,)),
    studies.Row("spatial augmentation alone", params=_NO_TEMPORAL),
    studies.Row("uniform intervals", params=("pipeline.two_view_batches.trend = 'uniform'",)),
    studies.Row("increasing intervals", params=("pipeline.two_view_batches.trend = 'increasing'",)),
    studies.Row("no hidden layer", params=("heads.ProjectionHead.num_hidden_layers = 0",)),
    studies.Row("3 hidden layers", params=("heads.ProjectionHead.num_hidden_layers = 3",)),
    studies.Row("batches of 16", params=_HALF_BATCH, length=2),  # As many videos.
    # Trained flat on frames; what linear_eval.gin begins with is that, inflated.
    studies.Row("SimCLR, inflated", gin_files=("pretrain.gin", "linear_eval.gin"), params=_FLAT),
    studies.Row("single frames", params=_ONE_FRAME),
    studies.Row("random weights", gin_files=("linear_eval.gin",), params=_FROM_RANDOM_WEIGHTS),
    studies.Row("supervised", gin_files=("supervised.gin",)),
    studies.Row("supervised single frames", gin_files=("supervised.gin",), params=_ONE_FRAME),
)
_NO_NUMBER = float("nan")
ORDERINGS = (
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
