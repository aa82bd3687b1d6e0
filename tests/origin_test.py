# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Where a backbone's weights come from, and what is said when they are others later."""

import pytest
import tensorflow as tf

from official_cvrl import errors, origin
from official_cvrl.modeling import resnet_3d


def _backbone():
    return resnet_3d.ResNet3D(depth=18, width_multiplier=1 / 16)


def _save(folder, step, value):
    backbone = _backbone()
    backbone.stem_norm.beta.assign(tf.fill([4], value))
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(backbone=backbone), str(folder), 3)
    manager.save(checkpoint_number=step)


@pytest.fixture(name="begun")
def _begun(tmp_path):
    """A run beside the one that its backbone came from."""
    _save(tmp_path / "pretrain", 5, 0.5)
    run, backbone = str(tmp_path / "linear_eval"), _backbone()
    begun_from = origin.load(backbone, "pretrain", model_dir=run)
    assert begun_from.path == str(tmp_path / "pretrain" / "ckpt-5")
    assert backbone.stem_norm.beta.numpy().tolist() == [0.5] * 4
    return begun_from, run


def test_the_same_weights_are_no_reason(begun):
    begun_from, run = begun
    origin.refuse_other(begun_from, "pretrain", model_dir=run)
    origin.refuse_other(begun_from, begun_from.path, model_dir=run)


@pytest.mark.parametrize(("step", "value"), [(6, 0.75), (5, 0.75)])
def test_weights_trained_further_or_anew_are_refused(begun, tmp_path, step, value):
    begun_from, run = begun
    _save(tmp_path / "pretrain", step, value)
    with pytest.raises(errors.UserError, match=rf"began with .*ckpt-5.*ckpt-{step} now"):
        origin.refuse_other(begun_from, "pretrain", model_dir=run)


def test_random_weights_are_told_from_others(begun):
    begun_from, run = begun
    with pytest.raises(errors.UserError, match="is random weights now"):
        origin.refuse_other(begun_from, "", model_dir=run)
    with pytest.raises(errors.UserError, match="began with the backbone of random weights"):
        origin.refuse_other(origin.load(_backbone(), "", model_dir=run), "pretrain", model_dir=run)


def test_weights_that_are_gone_are_no_reason(begun, tmp_path):
    begun_from, run = begun
    for path in (tmp_path / "pretrain").iterdir():
        path.unlink()
    origin.refuse_other(begun_from, "pretrain", model_dir=run)
    with pytest.raises(errors.UserError, match=r"pretrain.*run\.pretrained = 'pretrain'"):
        origin.load(_backbone(), "pretrain", model_dir=run)


def test_a_misspelt_run_is_answered_with_those_beside_and_one_folder_deeper(tmp_path):
    for name in ("embedded/pretrain", "mine/finetune", "supervised"):
        _save(tmp_path / name, 1, 0.5)
    with pytest.raises(errors.UserError) as caught:
        origin.load(_backbone(), "pretrian", model_dir=str(tmp_path / "x"))
    there = f"Runs in {tmp_path}: embedded/pretrain, mine/finetune, supervised."
    assert f"{there} Did you mean 'embedded/pretrain'?" in str(caught.value)
    assert origin.load(_backbone(), "embedded/pretrain", model_dir=str(tmp_path / "x")).path
