# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Every complete configuration holds together, and those of the paper have the paper's numbers."""

import math
import os
import pathlib
import re

import pytest
import tensorflow as tf
from gin import config as gin_config

from official_cvrl import experiment, gin_names, gin_reach, gin_utils
from tests.data import shards
from tests.tasks import tiny_detector

_CONFIGS = pathlib.Path(gin_utils.CONFIGS_DIR)
_DOCS = (_CONFIGS.parent / "docs" / "reproduce.md").read_text(encoding="utf-8")
_COMPLETE = [
    str(path.relative_to(_CONFIGS))
    for path in sorted([*_CONFIGS.glob("*.gin"), *_CONFIGS.glob("paper/*.gin")])
]

# A step is run of these; the others put the same parts together, with other numbers.
_KINDS = (
    *("pretrain", "semi_supervised", "supervised", "detect"),
    *("paper/k400_r3d50_200epochs", "paper/k400_r3d50_linear", "paper/ava_cvrl"),
    *("paper/table2_k400_simclr", "paper/table9_temporal_only", "paper/table9_spatial_only"),
    "paper/table12_randaugment",
)
# What a step is shrunk to.
_AT_MOST = {
    "num_frames": 2,
    "temporal_stride": 1,
    "crop_size": 16,
    "min_resize": 16,
    "longest_side": 16,
    "global_batch_size": 2,
    "max_boxes": 4,
    "width_multiplier": 0.0625,
    "depth": 18,
    "hidden_dim": 8,
    "output_dim": 4,
    "train_steps": 1,
    "total_steps": 2,
}
_INSTEAD = {
    "warmup_steps": 0,
    "boundaries": (1,),
    "pretrained": "",
    "test_split": "test",
    "train_subset": 0.1,
}

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


_K400_200 = _PRETRAINING | _schedule(rate=0.32, warmup=1150, steps=46_000)
_K400_800 = _PRETRAINING | _schedule(rate=0.32, warmup=1150, steps=184_000)
_K600_800 = _PRETRAINING | _schedule(rate=0.32, warmup=1787, steps=284_000)
_K400_LINEAR = _LINEAR | _schedule(rate=32.0, warmup=1150, steps=23_000)
_K600_LINEAR = _LINEAR | _schedule(rate=32.0, warmup=1787, steps=35_744)
_ALL_LAYERS = {
    "tasks.classify.Classification.frozen": False,
    "tasks.classify.Classification.decay": 1e-6,
    "modeling.heads.LinearClassifier.normalize_embedding": False,
}
_SUPERVISED = _LINEAR | {
    **_ALL_LAYERS,
    "tasks.classify.Classification.decay": 1e-4,
    "modeling.heads.LinearClassifier.dropout_rate": 0.5,
    "experiment.run.pretrained": "",
}
_SIMCLR = {
    "modeling.resnet_3d.ResNet3D.stem_temporal_kernel_size": 1,
    "modeling.resnet_3d.ResNet3D.stem_temporal_stride": 1,
    "modeling.resnet_3d.ResNet3D.temporal_kernel_sizes": "(1, 1, 1, 1)",
    "data.pipeline.two_view_batches.num_frames": 1,
    "data.pipeline.two_view_batches.temporal_augmentation": False,
    "data.clip_format.ClipFormat.num_frames": 1,
    "data.clip_format.ClipFormat.temporal_stride": 1,
}
_INDEPENDENT_FRAMES = {
    "tasks.pretrain.Pretraining.augmentation": "@augment.Augmentation()",
    "data.pipeline.two_view_batches.augmentation": "@augment.Augmentation()",
    "data.augment.Augmentation.temporally_consistent": False,
}


def _begun_from(run):
    return {"experiment.run.pretrained": run}


def _wide(factor):
    return {"modeling.resnet_3d.ResNet3D.width_multiplier": factor}


def _wide_head(factor):
    return _wide(factor) | {
        "modeling.heads.ProjectionHead.hidden_dim": 2048 * factor,
        "modeling.heads.ProjectionHead.output_dim": 128 * factor,
    }


def _augmented_by(name):
    return {
        "tasks.pretrain.Pretraining.augmentation": f"@augment.{name}()",
        "data.pipeline.two_view_batches.augmentation": f"@augment.{name}()",
    }


def _table_2(data, pretraining, linear, *, supervised_steps, warmup):
    deep = {"modeling.resnet_3d.ResNet3D.depth": 101}
    name = f"table2_{data}"
    return {
        f"{name}_r3d101": pretraining | deep,
        f"{name}_r3d50_2x": pretraining | _wide_head(2),
        f"{name}_r3d50_4x": pretraining | _wide_head(4),
        f"{name}_simclr": pretraining | _SIMCLR,
        f"{name}_r3d101_linear": linear | deep | _begun_from(f"{name}_r3d101"),
        f"{name}_r3d50_2x_linear": linear | _wide(2) | _begun_from(f"{name}_r3d50_2x"),
        f"{name}_r3d50_4x_linear": linear | _wide(4) | _begun_from(f"{name}_r3d50_4x"),
        f"{name}_simclr_linear": linear | _begun_from(f"{name}_simclr"),
        f"{name}_imagenet_linear": linear | _begun_from("imagenet_inflated"),
        f"{name}_supervised": _SUPERVISED
        | _schedule(rate=0.8, warmup=warmup, steps=supervised_steps),
    }


def _semi_supervised(table, data, *, steps):
    """Four rows of two columns: 100 epochs of 1% of the labels, 50 of 10%."""
    origins = {
        "cvrl": f"{data}_r3d50_800epochs",
        "simclr": f"table2_{data}_simclr",
        "imagenet": "imagenet_inflated",
        "supervised": "",
    }
    return {
        f"{table}_{row}_{percent}percent": _LINEAR
        | _ALL_LAYERS
        | _schedule(rate=0.2, warmup=0, steps=steps[percent])
        | _begun_from(origin)
        | {"experiment.run.train_subset": percent / 100}
        for row, origin in origins.items()
        for percent in (1, 10)
    }


def _small_data(data):
    """UCF-101 and HMDB-51: 50 epochs of 9,537 and 3,570 videos in batches of 128, 5 of warm-up."""
    shared = {"experiment.run.global_batch_size": 128, "experiment.run.test_split": "test"}
    shared |= _begun_from(f"runs/{data.upper()}_RECORDS/{data}_r3d50_800epochs")
    ucf, hmdb = {"warmup": 373, "steps": 3725}, {"warmup": 139, "steps": 1395}
    return {
        f"table4_ucf101_{data}": _LINEAR | _ALL_LAYERS | shared | _schedule(rate=0.16, **ucf),
        f"table4_hmdb51_{data}": _LINEAR | _ALL_LAYERS | shared | _schedule(rate=0.16, **hmdb),
        f"table10_ucf101_{data}": _LINEAR | shared | _schedule(rate=0.8, **ucf),
        f"table10_hmdb51_{data}": _LINEAR | shared | _schedule(rate=0.2, **hmdb),
    }


def _batches_of(size, *, warmup, steps, rate):
    return (
        _PRETRAINING
        | {"experiment.run.global_batch_size": size}
        | _schedule(rate=rate, warmup=warmup, steps=steps)
    )


def _interval(**changes):
    return _K400_200 | {f"data.pipeline.two_view_batches.{k}": v for k, v in changes.items()}


_PAPER = {
    "k400_r3d50_200epochs": _K400_200,
    "k400_r3d50_800epochs": _K400_800,
    "k600_r3d50_800epochs": _K600_800,
    "k400_r3d50_linear": _K400_LINEAR | _begun_from("k400_r3d50_800epochs"),
    "k600_r3d50_linear": _K600_LINEAR | _begun_from("k600_r3d50_800epochs"),
    **_table_2("k400", _K400_800, _K400_LINEAR, supervised_steps=46_000, warmup=1150),
    **_table_2("k600", _K600_800, _K600_LINEAR, supervised_steps=71_488, warmup=1787),
    **_semi_supervised("table3", "k400", steps={1: 230, 10: 1150}),
    **_semi_supervised("table11", "k600", steps={1: 357, 10: 1787}),
    **_small_data("k400"),
    **_small_data("k600"),
    "ava_cvrl": _DETECTION | _begun_from("runs/K400_RECORDS/k400_r3d50_800epochs"),
    "ava_imagenet": _DETECTION,
    "ava_random": _DETECTION | _begun_from(""),
    "ava_simclr": _DETECTION | _begun_from("runs/K400_RECORDS/table2_k400_simclr"),
    "ava_supervised": _DETECTION | _begun_from("runs/K400_RECORDS/table2_k400_supervised"),
    **{
        f"table6_{layers}_hidden_layers": _K400_200
        | {"modeling.heads.ProjectionHead.num_hidden_layers": layers}
        for layers in (0, 1, 2)
    },
    "table7_batch_256": _batches_of(256, rate=0.08, warmup=4600, steps=184_000),
    "table7_batch_512": _batches_of(512, rate=0.16, warmup=2300, steps=92_000),
    "table7_batch_2048": _batches_of(2048, rate=0.64, warmup=575, steps=23_000),
    "table8_100_epochs": _PRETRAINING | _schedule(rate=0.32, warmup=1150, steps=23_000),
    "table8_500_epochs": _PRETRAINING | _schedule(rate=0.32, warmup=1150, steps=115_000),
    "table9_temporal_only": _K400_200 | _augmented_by("no_spatial"),
    "table9_spatial_only": _interval(temporal_augmentation=False) | _INDEPENDENT_FRAMES,
    "table9_not_consistent": _K400_200 | _INDEPENDENT_FRAMES,
    "table12_randaugment": _K400_200 | _augmented_by("rand_augment"),
    "figure3b_decreasing_root": _interval(power=0.5),
    "figure3c_decreasing_square": _interval(power=2.0),
    "figure3d_uniform": _interval(trend="uniform"),
    "figure3e_increasing_linear": _interval(trend="increasing"),
    "figure3f_increasing_square": _interval(trend="increasing", power=2.0),
    "figure4_k400_284k_steps": _PRETRAINING | _schedule(rate=0.32, warmup=1150, steps=284_000),
    "figure4_k600_46k_steps": _PRETRAINING | _schedule(rate=0.32, warmup=1787, steps=46_000),
    "figure4_k600_184k_steps": _PRETRAINING | _schedule(rate=0.32, warmup=1787, steps=184_000),
}


@pytest.mark.parametrize("name", _COMPLETE)
def test_every_binding_is_used_and_every_argument_bound(name):
    gin_utils.parse([name])
    assert gin_reach.faults(_reach(), gin_utils._parsed.ledger) == []


@pytest.mark.parametrize("name", _COMPLETE)
def test_the_seed_is_given_the_same_way_everywhere(name):
    gin_utils.parse([name], ["SEED = 7"])
    assert _bound("experiment.run.seed") == 7


def _bound(parameter):
    selector, _, name = f"official_cvrl.{parameter}".rpartition(".")
    value = gin_reach.resolved(("", selector, name))[0]
    return value if isinstance(value, (bool, int, float, str)) else repr(value)


@pytest.mark.parametrize("name", sorted(_PAPER))
def test_the_papers_runs_have_the_papers_numbers(name):
    gin_utils.parse([os.path.join("paper", f"{name}.gin")])
    assert {parameter: _bound(parameter) for parameter in _PAPER[name]} == _PAPER[name]


def test_every_run_of_the_paper_is_held_to_its_numbers():
    assert {path.stem for path in _CONFIGS.glob("paper/*.gin")} == set(_PAPER)


def _as_on_kinetics_400(name):
    """The docs name the files of Kinetics-600 by those of Kinetics-400."""
    return name.replace("table11", "table3").replace("k600", "k400")


def test_the_docs_name_every_file_and_no_other():
    named = set(re.findall(r"`((?:table|figure|k400|k600|ava)_?\w+)`", _DOCS))
    assert named <= set(_PAPER)
    assert {_as_on_kinetics_400(name) for name in set(_PAPER) - named} <= named


def test_the_docs_bindings_suit_pretraining():
    bindings = re.findall(r'`"(.*?)"`', _DOCS.partition("for pretrain.gin |")[2])
    assert len(bindings) > 8
    for binding in bindings:
        gin_utils.parse(["pretrain.gin"], [binding])
        assert gin_reach.faults(_reach(), gin_utils._parsed.ledger) == [], binding


def test_the_docs_other_batch_is_for_as_many_epochs():
    (row,) = re.findall(r'^\| Table 7 \| (`".*)', _DOCS, re.MULTILINE)
    (batch,), (steps,) = (
        re.findall(rf'"{name} = (\d+)"', row) for name in ("GLOBAL_BATCH_SIZE", "TRAIN_STEPS")
    )
    gin_utils.parse(["pretrain.gin"], [])
    whole = (
        gin_config.query_parameter(f"%{name}") for name in ("GLOBAL_BATCH_SIZE", "TRAIN_STEPS")
    )
    assert int(batch) * int(steps) == math.prod(whole)


@pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions")
@pytest.mark.parametrize("name", _KINDS)
def test_a_step_of_each_kind(name, records, eagerly, tmp_path):
    """With everything shrunk; bindings that are not used while building are refused."""
    gin_utils.parse([f"{name}.gin"], _shrunk(f"{name}.gin"))
    gin_utils.configured(experiment.run)(
        mode="train",
        model_dir=str(tmp_path / "run"),
        data_dir=str(records["boxes" if _is_detection() else "classes"]),
        on_built=gin_utils.check_all_used,
    )
    assert (tmp_path / "run" / "ckpt-1.index").exists()


def test_other_files_put_the_same_parts_together():
    kinds = {_parts(f"{name}.gin") for name in _KINDS}
    assert {name for name in _COMPLETE if _parts(name) not in kinds} == set()


@pytest.fixture(scope="module", name="records")
def _records(tmp_path_factory):
    classes = tmp_path_factory.mktemp("classes")
    for split in ("train", "test"):
        shards.write(classes, 20, split=split, num_frames=3, labels=[0])
    (classes / "labels.txt").write_text("a\nb\n")
    boxes = tiny_detector.write_records(
        str(tmp_path_factory.mktemp("boxes")), label_names=[f"{n}" for n in range(80)]
    )
    return {"classes": classes, "boxes": boxes}


@pytest.fixture(name="eagerly")
def _eagerly():
    """A step is run once, so tracing and compiling it would take longer than the step."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
    tf.keras.mixed_precision.set_global_policy("float32")


def _shrunk(gin_file):
    """What to bind to make the run of a file small, for `gin_utils.parse`."""
    gin_utils.parse([gin_file])
    sizes = {
        gin_names.binding_name(*binding): min(value, _AT_MOST[binding[2]])
        for binding, value in _reached()
        if binding[2] in _AT_MOST
    }
    others = {
        gin_names.binding_name(*binding): _INSTEAD[binding[2]]
        for binding, _ in _reached()
        if binding[2] in _INSTEAD
    }
    backbone = "resnet_3d.ResNet3D.width_multiplier"
    sizes.setdefault(backbone, _AT_MOST["width_multiplier"])
    return tuple(f"{name} = {value!r}" for name, value in (sizes | others).items())


def _parts(gin_file):
    """The functions and classes that a run is made of."""
    gin_utils.parse([gin_file])
    return frozenset(
        reference.configurable.selector
        for _, value in _reached()
        for reference in gin_config.iterate_references(value)
    )


def _reached():
    """All bindings that the run uses, macros apart, with their values."""
    keys = _reach().keys
    return [
        (binding, gin_reach.resolved(binding)[0])
        for binding in gin_reach.bindings()
        if binding[:2] in keys and not gin_names.is_macro(binding[1])
    ]


def _reach():
    selector = gin_utils._registered(experiment.run).selector
    return gin_reach.walk({selector: {"mode", "model_dir"}}, gin_utils._parsed.ledger)


def _is_detection():
    return _bound("experiment.run.task") == "@detect.Detection"
