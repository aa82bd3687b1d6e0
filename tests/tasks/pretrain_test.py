# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The pre-training step: what it reports, what it changes, and on how many replicas."""

import numpy as np
import pytest
import tensorflow as tf

from official_cvrl.data import augment, pipeline
from official_cvrl.modeling import heads
from official_cvrl.objectives import info_nce, weight_decay
from official_cvrl.tasks import pretrain
from tests import replicas
from tests.tasks import tiny


@pytest.fixture(scope="module", name="data_dir")
def _data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    tiny.write_records(folder)
    return folder


@pytest.fixture(name="precision")
def _precision(request):
    tf.keras.mixed_precision.set_global_policy(request.param)
    yield
    tf.keras.mixed_precision.set_global_policy("float32")


def _head():
    return heads.ProjectionHead(num_hidden_layers=1, hidden_dim=16, output_dim=8)


def _task(data_dir, strategy, **changes):
    tf.keras.utils.set_random_seed(0)
    augmentation = augment.published()
    source = tiny.make_feed(
        data_dir, strategy, pipeline.two_view_batches, augmentation=augmentation
    )
    arguments = {
        "backbone": tiny.backbone,
        "projection_head": _head,
        "optimizer": tiny.sgd,
        "augmentation": augmentation,
        "decay": 1e-3,
    }
    with strategy.scope():
        return pretrain.Pretraining(strategy=strategy, feed=source, **(arguments | changes))


@pytest.mark.parametrize("precision", ["float64"], indirect=True)
def test_the_update_does_not_depend_on_the_number_of_replicas(data_dir, precision):
    after = []
    for strategy in (tiny.one_device(), replicas.two_replicas()):
        task = _task(data_dir, strategy)
        outputs = tiny.steps(task, strategy, 1)
        after.append((outputs, tiny.values(task.backbone) + tiny.values(task.projection_head)))
    (outputs, weights), (outputs_of_two, weights_of_two) = after
    for one, two in zip(outputs, outputs_of_two, strict=True):
        assert one == pytest.approx(two, rel=1e-6)
    for one, two in zip(weights, weights_of_two, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-9)


def test_a_step_reports_the_loss_of_the_weights_before_it(data_dir):
    strategy = tiny.one_device()
    task = _task(data_dir, strategy)
    batch = next(iter(task.train_dataset(start_step=0)))
    clips = task._augmented(batch)
    embeddings = task.backbone(clips, training=True)["embedding"]
    pairs = tf.split(task.projection_head(embeddings, training=True), 2)
    contrast = info_nce.info_nce_loss(*pairs)
    kernels = task.backbone.trainable_variables + task.projection_head.trainable_variables
    decay = weight_decay.kernel_l2_loss(kernels, 1e-3)
    (outputs,) = tiny.steps(task, strategy, 1)
    assert outputs["contrastive_loss"] == pytest.approx(float(contrast.loss), rel=1e-4)
    assert outputs["accuracy"] == pytest.approx(float(contrast.accuracy))
    assert outputs["entropy"] == pytest.approx(float(contrast.entropy), rel=1e-3)
    assert outputs["regularization_loss"] == pytest.approx(float(decay), rel=1e-5)
    assert outputs["loss"] == pytest.approx(float(contrast.loss + decay), rel=1e-4)


def test_every_weight_learns(data_dir):
    strategy = tiny.one_device()
    task = _task(data_dir, strategy)
    before = tiny.values(task.backbone) + tiny.values(task.projection_head)
    tiny.steps(task, strategy, 1)
    after = tiny.values(task.backbone) + tiny.values(task.projection_head)
    assert all(np.any(new != old) for new, old in zip(after, before, strict=True))


@pytest.mark.parametrize("precision", ["mixed_float16"], indirect=True)
def test_float16_scales_the_loss_and_learns(data_dir, precision):
    strategy = tiny.one_device()
    task = _task(data_dir, strategy)
    assert task.optimizer.loss_scale > 1
    before = tiny.values(task.projection_head)
    # The first steps overflow and are passed over, each halving the scale.
    outputs = tiny.steps(task, strategy, 16)
    assert np.isfinite([step["loss"] for step in outputs]).all()
    after = tiny.values(task.projection_head)
    assert all(np.any(new != old) for new, old in zip(after, before, strict=True))


def test_refuses_what_is_no_temperature(data_dir):
    with pytest.raises(ValueError, match="temperature=0 must be positive"):
        _task(data_dir, tiny.one_device(), temperature=0)


def test_the_preview_shows_each_pair_above_each_other(data_dir):
    task = _task(data_dir, tiny.one_device(), augmentation=augment.crop_flip_only())
    batch = next(iter(task.train_dataset(start_step=0)))
    (pictures,) = task.preview(batch).values()
    assert pictures.shape == (4, 2 * 8, 2 * 8, 3)
    for picture, views in zip(pictures, batch["views"], strict=True):
        for row in (0, 1):
            for frame in (0, 1):
                shown = picture[8 * row : 8 * row + 8, 8 * frame : 8 * frame + 8]
                np.testing.assert_array_equal(shown, views[row, frame])
