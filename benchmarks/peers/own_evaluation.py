# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Our evaluation: a step of linear evaluation, the backbone alone, and dense test views."""

import time
import types
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from benchmarks import turns
from official_cvrl import manifest, optimizers, runtime
from official_cvrl.data import pipeline
from official_cvrl.modeling import heads, resnet_3d
from official_cvrl.tasks import classify, views

_CLASSES = 400


def make(settings: Mapping) -> Callable[[], Mapping[str, float]]:
    """Returns what measures one of the three.

    Args:
        settings: `what` ("linear step", "forward" or "views"), `precision`, `videos`,
            `num_frames`, `crop_size`; for views: see `published_views`.
    """
    strategy = runtime.Runtime("one_device", settings["precision"]).start(seed=0)
    if settings["what"] == "views":
        return _views(strategy, settings)
    with strategy.scope():
        task = classify.Classification(
            strategy=strategy,
            feed=types.SimpleNamespace(global_batch_size=settings["videos"], num_classes=_CLASSES),
            backbone=resnet_3d.ResNet3D,
            classifier=heads.LinearClassifier,
            optimizer=lambda: optimizers.sgd(learning_rate=0.1),
            frozen=True,
        )
    batch = _batch(settings)
    step = tf.function(task.train_step, autograph=False)
    forward = tf.function(
        lambda batch: task.backbone(views.to_float(batch["clips"]), training=False)["embedding"]
    )
    run = {"linear step": lambda: step(batch)["loss"], "forward": lambda: forward(batch)}
    return _timed(run[settings["what"]])


def _timed(run):
    def measure():
        start = time.perf_counter()
        run().numpy()
        return {"seconds": time.perf_counter() - start}

    measure()
    return measure


def _batch(settings):
    random, size = np.random.default_rng(0), settings["crop_size"]
    shape = [settings["videos"], settings["num_frames"], size, size, 3]
    return {
        "clips": tf.constant(random.integers(0, 256, shape, np.uint8)),
        "label": tf.constant(random.integers(0, _CLASSES, settings["videos"])),
    }


def _views(strategy, settings):
    with strategy.scope():
        backbone = resnet_3d.ResNet3D()
        classifier = heads.LinearClassifier(num_classes=_CLASSES)

    def probabilities(clips):
        embeddings = backbone(clips, training=False)["embedding"]
        return tf.nn.softmax(classifier(embeddings, training=False))

    collector = views.Collector(
        lambda batch: views.mean_over_views(probabilities, batch, max_clips_per_pass=64),
        strategy=strategy,
    )
    dataset = pipeline.test_batches(
        manifest.find_shards(settings["data_dir"], "test"),
        num_frames=settings["num_frames"],
        temporal_stride=settings["temporal_stride"],
        min_resize=settings["min_resize"],
        crop_size=settings["crop_size"],
        num_test_clips=settings["num_test_clips"],
        num_test_crops=settings["num_test_crops"],
        global_batch_size=1,
    ).take(settings["videos"])
    count = settings["videos"] * settings["num_test_clips"] * settings["num_test_crops"]
    return views_timer(lambda: collector.collect(dataset, label="test"), count)


def views_timer(evaluate: Callable, count: int) -> Callable[[], Mapping[str, float]]:
    """Returns what evaluates once, from opening the shards on, and tells views a second."""

    def measure():
        start = time.perf_counter()
        evaluate()
        return {"views_per_second": count / (time.perf_counter() - start)}

    measure()
    return measure


if __name__ == "__main__":
    turns.serve(make)
