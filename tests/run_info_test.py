# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A run's folder read back."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from official_cvrl import errors, run_info
from official_cvrl.data import clip_format
from official_cvrl.modeling import heads, resnet_3d

_CLIP = clip_format.ClipFormat(num_frames=4, temporal_stride=2, min_resize=20, crop_size=16)


def _info(clip=_CLIP):
    backbone = resnet_3d.ResNet3D(depth=18, width_multiplier=0.125)
    return run_info.RunInfo(data_dir="/data", backbone=backbone.get_config(), clip=clip)


def test_round_trip(tmp_path):
    info = _info()
    run_info.write(str(tmp_path), info)
    read = run_info.read_trained(str(tmp_path))
    assert (read.data_dir, read.clip, read.version) == (info.data_dir, _CLIP, info.version)
    rebuilt = resnet_3d.ResNet3D.from_config(dict(read.backbone))
    assert [v.shape for v in rebuilt.variables] == [
        v.shape for v in resnet_3d.ResNet3D.from_config(dict(info.backbone)).variables
    ]


def test_a_classifier_comes_back_as_it_was_saved(tmp_path):
    classifier = heads.LinearClassifier(2, normalize_embedding=False)
    classifier.build([None, 3])
    checkpoint = tf.train.Checkpoint(classifier=classifier).save(str(tmp_path / "ckpt"))
    described = {"classifier": classifier.get_config(), "label_names": ("left", "right")}
    run_info.write(str(tmp_path), dataclasses.replace(_info(), **described))
    info = run_info.read(str(tmp_path))
    assert info.label_names == ("left", "right")
    embeddings = tf.constant([[1.0, -2.0, 0.5]])
    for dtype, rtol in ((None, 1e-6), ("mixed_bfloat16", 0.02)):
        read = run_info.load_classifier(checkpoint, info, embedding_dim=3, dtype=dtype)
        np.testing.assert_allclose(read(embeddings), classifier(embeddings), rtol=rtol)
        assert read.dtype_policy.name == (dtype or "float32")
    with pytest.raises(errors.UserError, match="classifier/output_layer/kernel"):
        run_info.load_classifier(checkpoint, info, embedding_dim=4)


def test_results(tmp_path):
    assert run_info.read_results(str(tmp_path)) == {}
    assert run_info.evaluated_step(str(tmp_path)) is None
    run_info.write_results(str(tmp_path), {"top1": 0.5}, step=20)
    assert run_info.read_results(str(tmp_path)) == {"top1": 0.5}
    assert run_info.evaluated_step(str(tmp_path)) == 20
    (tmp_path / "results.json").write_text("[0.5]")
    with pytest.raises(errors.UserError, match=r"results\.json holds no table of results"):
        run_info.read_results(str(tmp_path))


def test_results_are_outdated_once_there_is_a_checkpoint_of_another_step(tmp_path):
    run, checkpoint = str(tmp_path), tf.train.Checkpoint(weight=tf.Variable(1.0))
    assert run_info.outdated_step(run) is None
    run_info.write_results(run, {"top1": 0.5}, step=20)
    assert run_info.outdated_step(run) is None  # Checkpoints may have been removed.
    manager = tf.train.CheckpointManager(checkpoint, run, 1)
    for step, outdated in ((20, None), (30, 20)):
        manager.save(checkpoint_number=step)
        assert run_info.outdated_step(run) == outdated
    (tmp_path / "checkpoint").unlink()  # Checkpoints are found without it.
    assert run_info.outdated_step(run) == 20
    (tmp_path / "results.json").write_text('{"top1": 0.5}')  # As earlier versions wrote it.
    assert run_info.read_results(run) == {"top1": 0.5}
    assert run_info.outdated_step(run) is None


def test_no_run_there(tmp_path):
    assert run_info.read(str(tmp_path)) is None
    with pytest.raises(errors.UserError, match="holds no run"):
        run_info.read_trained(str(tmp_path))


def test_a_run_without_a_clip_format(tmp_path):
    run_info.write(str(tmp_path), _info(clip=None))
    with pytest.raises(errors.UserError, match="clip format"):
        run_info.read_trained(str(tmp_path))


@pytest.mark.parametrize("content", ["", "[]", '{"clip": null}', '{"clip": {"frames": 3}}'])
def test_a_broken_description(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(errors.UserError, match=r"run\.json is not the description of a run"):
        run_info.read(str(tmp_path))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("num_frames", 0, "num_frames=0"), ("crop_size", 32, "must not exceed")],
)
def test_clip_formats_that_cannot_be(field, value, message):
    arguments = {"num_frames": 4, "temporal_stride": 2, "min_resize": 20, "crop_size": 16}
    with pytest.raises(ValueError, match=message):
        clip_format.ClipFormat(**(arguments | {field: value}))


@pytest.mark.parametrize(
    "change",
    [
        {"backbone": "r3d"},
        {"label_names": [1]},
        {"classifier": [2]},
        {"data_dir": None},
        {"train_data": 3},
        {"clip": 3},
    ],
)
def test_a_description_of_another_shape_is_named(tmp_path, change):
    run_info.write(str(tmp_path), _info())
    path = tmp_path / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(errors.UserError, match="run.json is not the description of a run"):
        run_info.read(str(tmp_path))
    path.write_text("[]")
    with pytest.raises(errors.UserError, match="run.json is not the description of a run"):
        run_info.read(str(tmp_path))
