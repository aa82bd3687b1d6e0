# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The pre-training step: what it reports, what it changes, and on how many replicas."""

import numpy as np
import pytest
import tensorflow as tf

from official_cvrl import errors, optimizers
from official_cvrl.data import augment, photometric, pipeline
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


# On clips so small nothing but solarisation tells the second view's look from the first one's.
_AUGMENTATION = augment.Augmentation(solarize_probabilities=(0.0, 1.0))


def _head():
    return heads.ProjectionHead(num_hidden_layers=1, hidden_dim=16, output_dim=8)


def _task(data_dir, strategy, **changes):
    tf.keras.utils.set_random_seed(0)
    augmentation = _AUGMENTATION
    source = tiny.make_feed(
        data_dir, strategy, pipeline.two_view_batches, augmentation=augmentation
    )
    arguments = {
        "backbone": tiny.OneBlock,
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
        after.append((tiny.steps(task, strategy, 5), _all_values(task)))
    (outputs, weights), (outputs_of_two, weights_of_two) = after
    for one, two in zip(outputs, outputs_of_two, strict=True):
        assert one == pytest.approx(two, rel=1e-6)
    for one, two in zip(weights, weights_of_two, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-9)


def _clips(batch):
    """All first views, then all second ones, which are augmented by other probabilities."""
    first = photometric.photometric(
        batch["views"][:, 0], batch["seeds"][:, 0], view=0, augmentation=_AUGMENTATION
    )
    second = photometric.photometric(
        batch["views"][:, 1], batch["seeds"][:, 1], view=1, augmentation=_AUGMENTATION
    )
    return tf.concat([first, second], axis=0)


def test_every_weight_learns(data_dir):
    strategy = tiny.one_device()
    task = _task(data_dir, strategy, backbone=tiny.backbone)
    before = _all_values(task)
    tiny.steps(task, strategy, 1)
    after = _all_values(task)
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


def _sgd():
    # A rate that float32 holds exactly: the optimizer keeps it in it.
    return optimizers.sgd(learning_rate=0.125)


def _recomputing():
    return tiny.OneBlock(recompute=True)


def _all_values(task):
    return tiny.values(task.backbone) + tiny.values(task.projection_head)


def _assert_close(values, expected, tolerance):
    for value, wanted in zip(values, expected, strict=True):
        np.testing.assert_allclose(value, wanted, rtol=tolerance, atol=tolerance)


def _one_tape_over_chunks(data_dir, source, *, chunk_size):
    """What a step whose chunks share one tape reports, of the weights before; values after it."""
    batch = next(iter(source.train_dataset(start_step=0)))
    task = _task(data_dir, tiny.one_device(), optimizer=_sgd)
    kernels = task.backbone.trainable_variables + task.projection_head.trainable_variables
    pairs = []
    with tf.GradientTape() as tape:
        for start in range(0, len(batch["seeds"]), chunk_size):
            rows = {name: part[start : start + chunk_size] for name, part in batch.items()}
            embeddings = task.backbone(_clips(rows), training=True)["embedding"]
            pairs.append(tf.split(task.projection_head(embeddings, training=True), 2))
        pair = [tf.concat(views, 0) for views in zip(*pairs, strict=True)]
        contrast = info_nce.info_nce_loss(*pair)
        decay = weight_decay.kernel_l2_loss(kernels, 1e-3)
        loss = contrast.loss + tf.cast(decay, tf.float64)
    for variable, gradient in zip(kernels, tape.gradient(loss, kernels), strict=True):
        variable.assign_sub(0.125 * gradient)
    outputs = {"loss": loss, "contrastive_loss": contrast.loss, "regularization_loss": decay}
    outputs |= {"accuracy": contrast.accuracy, "entropy": contrast.entropy}
    return outputs, _all_values(task)


# Across replicas: tests/objectives/grad_cache_test.py, and two workers in strategies_test.py.
@pytest.mark.parametrize("precision", ["float64"], indirect=True)
@pytest.mark.parametrize("changes", [{"backbone": _recomputing}, {"chunk_size": 2}])
def test_a_step_equals_one_tape_over_its_chunks(data_dir, precision, changes):
    strategy = tiny.one_device()
    task = _task(data_dir, strategy, optimizer=_sgd, **changes)
    chunk_size = changes.get("chunk_size", 4)
    expected_outputs, expected = _one_tape_over_chunks(data_dir, task, chunk_size=chunk_size)
    (outputs,) = tiny.steps(task, strategy, 1)
    assert outputs.keys() == expected_outputs.keys()
    for name, value in expected_outputs.items():
        tolerance = 1e-9 if value.dtype == tf.float64 else 1e-6
        assert outputs[name] == pytest.approx(float(value), rel=tolerance)
    _assert_close(_all_values(task), expected, 1e-9)


def test_refuses_chunks_that_do_not_divide_a_replicas_batch(data_dir):
    with pytest.raises(errors.UserError, match="chunk_size=3 does not divide the 4 videos"):
        _task(data_dir, tiny.one_device(), chunk_size=3)
    with pytest.raises(errors.UserError, match="the 2 videos .*global_batch_size=4, replicas: 2"):
        _task(data_dir, replicas.two_replicas(), chunk_size=4)
    with pytest.raises(ValueError, match="chunk_size=0 must be positive"):
        _task(data_dir, tiny.one_device(), chunk_size=0)


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
