# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Every complete configuration holds together, and those of the paper have the paper's numbers."""

import os
import pathlib

import pytest

from official_cvrl import experiment, gin_reach, gin_utils

_CONFIGS = pathlib.Path(gin_utils.CONFIGS_DIR)
_COMPLETE = [
    str(path.relative_to(_CONFIGS))
    for path in sorted([*_CONFIGS.glob("*.gin"), *_CONFIGS.glob("paper/*.gin")])
]

_EVERY_RUN = {
    "modeling.resnet_3d.ResNet3D.depth": 50,
    "optimizers.sgd.learning_rate": "@optimizers.warmup_cosine()",
    "experiment.run.global_batch_size": 1024,
    "experiment.run.test_split": "val",
    "data.clip_format.ClipFormat.num_frames": 32,
    "data.clip_format.ClipFormat.temporal_stride": 2,
    "data.clip_format.ClipFormat.min_resize": 256,
    "data.clip_format.ClipFormat.crop_size": 256,
}
_PRETRAINING = {
    **_EVERY_RUN,
    "experiment.run.task": "@pretrain.Pretraining",
    "experiment.run.train_input": "@pipeline.two_view_batches",
    "tasks.pretrain.Pretraining.optimizer": "@optimizers.sgd",
    "tasks.pretrain.Pretraining.temperature": 0.1,
    "tasks.pretrain.Pretraining.decay": 1e-6,
    "tasks.pretrain.Pretraining.augmentation": "@augment.published()",
    "modeling.heads.ProjectionHead.num_hidden_layers": 3,
    "modeling.heads.ProjectionHead.hidden_dim": 2048,
    "modeling.heads.ProjectionHead.output_dim": 128,
    "data.pipeline.two_view_batches.num_frames": 16,
    "data.pipeline.two_view_batches.temporal_stride": 2,
    "data.pipeline.two_view_batches.crop_size": 224,
    "data.pipeline.two_view_batches.augmentation": "@augment.published()",
    "data.feed.TestInput.num_test_clips": 1,
    "data.feed.TestInput.num_test_crops": 1,
}
_LINEAR = {
    **_EVERY_RUN,
    "experiment.run.task": "@classify.Classification",
    "experiment.run.train_input": "@pipeline.train_batches",
    "tasks.classify.Classification.optimizer": "@optimizers.sgd",
    "tasks.classify.Classification.frozen": True,
    "tasks.classify.Classification.decay": 0.0,
    "modeling.heads.LinearClassifier.normalize_embedding": True,
    "data.pipeline.train_batches.num_frames": 32,
    "data.pipeline.train_batches.temporal_stride": 2,
    "data.pipeline.train_batches.crop_size": 224,
    "data.pipeline.train_batches.augmentation": "@augment.crop_flip_only()",
    "data.feed.TestInput.num_test_clips": 10,
    "data.feed.TestInput.num_test_crops": 3,
}

_DETECTION = {
    "modeling.resnet_3d.ResNet3D.depth": 50,
    "modeling.resnet_3d.ResNet3D.spatial_strides": "(1, 2, 2, 1)",
    "modeling.resnet_3d.ResNet3D.spatial_dilations": "(1, 1, 1, 2)",
    "experiment.run.task": "@detect.Detection",
    "experiment.run.global_batch_size": 32,
    "experiment.run.test_split": "val",
    "tasks.detect.Detection.optimizer": "@optimizers.sgd",
    "optimizers.warmup_steps_decay.learning_rate": 0.2,
    # 8, 11 and 12 epochs of 210,634 key frames.
    "optimizers.warmup_steps_decay.boundaries": "(52658, 72405)",
    "optimizers.warmup_steps_decay.total_steps": 79_000,
    "trainer.Loop.train_steps": 79_000,
}


def _schedule(*, rate, warmup, steps):
    return {
        "optimizers.warmup_cosine.learning_rate": rate,
        "optimizers.warmup_cosine.warmup_steps": warmup,
        "optimizers.warmup_cosine.total_steps": steps,
        "trainer.Loop.train_steps": steps,
    }


_PAPER = {
    "k400_r3d50_200epochs": _PRETRAINING | _schedule(rate=0.32, warmup=1150, steps=46_000),
    "k400_r3d50_800epochs": _PRETRAINING | _schedule(rate=0.32, warmup=1150, steps=184_000),
    "k400_r3d50_linear": _LINEAR | _schedule(rate=32.0, warmup=1150, steps=23_000),
    "ava_cvrl": _DETECTION | {"experiment.run.pretrained": "r3d50_800epochs"},
    "ava_imagenet": _DETECTION,
    "ava_random": _DETECTION | {"experiment.run.pretrained": ""},
    "ava_simclr": _DETECTION,
    "ava_supervised": _DETECTION,
}


@pytest.mark.parametrize("name", _COMPLETE)
def test_every_binding_is_used_and_every_argument_bound(name):
    gin_utils.parse([name])
    selector = gin_utils._registered(experiment.run).selector
    reach = gin_reach.walk({selector: {"mode", "model_dir"}}, gin_utils._parsed.ledger)
    assert gin_reach.faults(reach, gin_utils._parsed.ledger) == []


@pytest.mark.parametrize("name", _COMPLETE)
def test_the_seed_is_given_the_same_way_everywhere(name):
    gin_utils.parse([name], ["SEED = 7"])
    assert _bound("experiment.run.seed") == 7


def _bound(parameter):
    selector, _, name = f"official_cvrl.{parameter}".rpartition(".")
    value = gin_utils._bound_value(("", selector, name))
    return value if isinstance(value, (bool, int, float, str)) else repr(value)


@pytest.mark.parametrize("name", sorted(_PAPER))
def test_the_papers_runs_have_the_papers_numbers(name):
    gin_utils.parse([os.path.join("paper", f"{name}.gin")])
    assert {parameter: _bound(parameter) for parameter in _PAPER[name]} == _PAPER[name]


def test_every_run_of_the_paper_is_held_to_its_numbers():
    assert {path.stem for path in _CONFIGS.glob("paper/*.gin")} == set(_PAPER)
