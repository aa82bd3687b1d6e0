# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Classification: what is trained, what is frozen, and what the test says."""

import numpy as np
import pytest
import tensorflow as tf

from official_cvrl import errors
from official_cvrl.data import augment, example_ids, pipeline
from official_cvrl.modeling import heads
from official_cvrl.tasks import classify
from tests import replicas
from tests.data import shards
from tests.tasks import tiny


@pytest.fixture(scope="module", name="data_dir")
def _data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    tiny.write_records(folder)
    return folder


def _task(data_dir, *, frozen, make_strategy=tiny.one_device):
    strategy = make_strategy()
    tf.keras.utils.set_random_seed(0)
    source = tiny.make_feed(
        data_dir,
        strategy,
        pipeline.train_batches,
        augmentation=augment.crop_flip_only(),
        num_test_clips=3,
    )
    with strategy.scope():
        task = classify.Classification(
            strategy=strategy,
            feed=source,
            backbone=tiny.OneBlock,
            classifier=heads.LinearClassifier,
            optimizer=tiny.sgd,
            frozen=frozen,
            max_clips_per_pass=4,
        )
    return task, strategy


def _changed(before, after):
    return [bool(np.any(new != old)) for new, old in zip(after, before, strict=True)]


@pytest.mark.parametrize("frozen", [True, False])
def test_a_frozen_backbone_stays_to_the_last_bit(data_dir, frozen):
    task, strategy = _task(data_dir, frozen=frozen)
    backbone, classifier = tiny.values(task.backbone), tiny.values(task.classifier)
    (outputs,) = tiny.steps(task, strategy, 1)
    assert outputs["loss"] == pytest.approx(outputs["classification_loss"])
    assert all(_changed(classifier, tiny.values(task.classifier)))
    changed = _changed(backbone, tiny.values(task.backbone))
    assert not any(changed) if frozen else all(changed)


def test_the_update_does_not_depend_on_the_number_of_replicas(data_dir):
    tf.keras.mixed_precision.set_global_policy("float64")
    after = []
    for make_strategy in (tiny.one_device, replicas.two_replicas):
        task, strategy = _task(data_dir, frozen=False, make_strategy=make_strategy)
        (outputs,) = tiny.steps(task, strategy, 1)
        after.append([*outputs.values(), *tiny.values(task.backbone)])
    tf.keras.mixed_precision.set_global_policy("float32")
    for one, two in zip(*after, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-9)


def test_evaluation_sees_every_test_video_and_the_probe_of_a_frozen_backbone(data_dir):
    task, _ = _task(data_dir, frozen=True)
    hits = []
    for batch in task._feed.batches("test"):
        for views, label, weight in zip(
            batch["views"], batch["label"].numpy(), batch["weight"].numpy(), strict=True
        ):
            embeddings = task.backbone(tf.cast(views, tf.float32) / 255.0)["embedding"]
            probabilities = tf.nn.softmax(task.classifier(embeddings)).numpy()
            if weight:
                hits.append(probabilities.mean(axis=0).argmax() == label)
    assert len(hits) == 5
    results = task.evaluate()
    assert results["top1"] == pytest.approx(np.mean(hits))
    assert results.keys() == {"top1", "top5", "knn_top1"}


class _LogitsInPixels(tf.keras.Model):
    """Clips of 1 frame of 1 × 3 pixels hold the logits of nine classes, as whole numbers."""

    embedding_dim = 9

    def call(self, clips, training=False):
        return {"embedding": tf.reshape(clips, [-1, 9]) * 255.0}


class _OneBatch:
    """A feed of test videos made by hand."""

    global_batch_size, num_classes, label_names = 1, 9, tuple("abcdefghi")
    data_dir, test_split = "/records", "validate"

    def __init__(self, logits, labels, weights):
        views = np.reshape(logits, [len(labels), -1, 1, 1, 3, 3])
        self._batch = {
            "views": tf.constant(views, tf.uint8),
            "label": tf.constant(labels, tf.int64),
            "example_key": tf.range(len(labels), dtype=tf.int64),
            "example_id": tf.stack(
                [example_ids.to_numbers(f"{n}.mp4") for n in range(len(labels))]
            ),
            "weight": tf.constant(weights, tf.float32),
        }

    def batches(self, role):
        assert role == "test"
        return [self._batch]


def _evaluated(logits, labels, weights=None, folder=""):
    strategy = tiny.one_device()
    feed = _OneBatch(logits, labels, weights or [1.0] * len(labels))
    with strategy.scope():
        task = classify.Classification(
            strategy=strategy,
            feed=feed,
            backbone=_LogitsInPixels,
            # What it is given passes through it.
            classifier=lambda num_classes: tf.keras.layers.Dropout(0.0),
            optimizer=tiny.sgd,
            frozen=False,
        )
    assert task.num_tested == 0
    results = task.evaluate(str(folder))
    assert task.num_tested == sum(label >= 0 for label in labels) - (weights or []).count(0.0)
    return results


def test_top_1_is_that_of_the_mean_probabilities_over_views():
    """One view is very sure of class 0, two are fairly sure of class 1.

    The mean of the logits is 20 / 3 for class 0 and 8 / 3 for class 1; the mean of the
    probabilities is 1/3 + for class 0, and 2/3 · e⁴ / (e⁴ + 8) = 0.58 for class 1.
    """
    views = np.zeros([3, 9])
    views[0, 0], views[1:, 1] = 20, 4
    assert _evaluated([views], labels=[1])["top1"] == 1.0
    assert _evaluated([views], labels=[0])["top1"] == 0.0


def test_top_1_and_top_5_of_labelled_videos_that_are_no_padding(capsys, tmp_path):
    """The labels have ranks 1, 5, 6 and 9; then one without label, and padding that is right."""
    logits = np.tile(np.arange(9, 0, -1), [6, 1])
    results = _evaluated(
        logits, labels=[0, 4, 5, 8, -1, 0], weights=[1.0] * 5 + [0.0], folder=tmp_path
    )
    assert results == {"top1": 1 / 4, "top5": 2 / 4}
    said = capsys.readouterr().out
    assert "1 test videos have no label and are left out." in said
    assert f"Predictions: {tmp_path}/predictions.csv; per_class.csv and confusion.csv" in said
    header, *rows = (tmp_path / "predictions.csv").read_text().splitlines()
    assert header.startswith("example_id,label,top1,probability1,")
    assert [row.split(",")[:3] for row in rows] == [
        [f"{number}.mp4", label, "a"] for number, label in enumerate(["a", "e", "f", "i", ""])
    ]


def test_a_test_split_without_any_label_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(errors.UserError, match="/records: no video of split 'validate' has a lab"):
        _evaluated(np.zeros([2, 9]), labels=[-1, -1], folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_videos_without_labels_are_refused(tmp_path):
    shards.write(tmp_path, 4, labels=[])
    with pytest.raises(errors.UserError, match="no labels.txt"):
        _task(tmp_path, frozen=True)
