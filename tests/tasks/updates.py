# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Runs training steps on fixed batches in a process of its own, and writes what came of them.

python -m tests.tasks.updates '{"strategy": "one_device", "cases": {"plain": {}, …}}' OUTPUT

writes OUTPUT.plain.npz and so on, a case after the other, since a process takes seconds to start.
OUTPUT.done says that all are there; then the process waits to be killed.
"""

import functools
import json
import os
import pathlib
import signal
import sys
import types

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import official_cvrl  # noqa: F401  isort: skip  (selects legacy Keras before TensorFlow is imported)
import numpy as np
import tensorflow as tf

from official_cvrl.data import augment
from official_cvrl.modeling import action_head, heads
from official_cvrl.tasks import detect, pretrain, views
from tests.tasks import tiny

_STEPS = 5
_GLOBAL_BATCH_SIZE = 8

# Iterators that live as long as the process. Each has a thread that tunes its buffers, at intervals
# that grow to a minute. TensorFlow wakes the thread before the iterator says that it ends: then it
# may sleep on for the rest of its interval, and who destroys the iterator waits for it. Those of
# four replicas are destroyed one after the other: that took a minute mostly, and up to five.
_KEPT = []


class _Kept:
    """A data set whose iterators are kept."""

    def __init__(self, dataset):
        self._dataset = dataset

    def __iter__(self):
        _KEPT.append(iter(self._dataset))
        return _KEPT[-1]


class _FixedFeed:
    """The same few batches on any number of replicas and workers."""

    global_batch_size = _GLOBAL_BATCH_SIZE

    def __init__(self, strategy, rows):
        self._strategy, self._rows = strategy, rows

    def batches(self, role, *, start_step=0):
        assert (role, start_step) in (("train", 0), ("test", 0))

        def make(context):
            examples = tf.data.Dataset.from_tensor_slices(_examples(self._rows))
            rows = context.get_per_replica_batch_size(_GLOBAL_BATCH_SIZE)
            parts = examples.batch(rows, drop_remainder=True)
            own = context.num_replicas_in_sync // context.num_input_pipelines
            groups = parts.batch(own, drop_remainder=True)
            return groups.shard(context.num_input_pipelines, context.input_pipeline_id).unbatch()

        return _Kept(self._strategy.distribute_datasets_from_function(make))


def _examples(rows):
    """Five batches, each with its rows in the order given."""
    random = np.random.default_rng(0)
    count = _STEPS * _GLOBAL_BATCH_SIZE
    order = np.arange(count).reshape(_STEPS, -1)[:, rows].ravel()
    examples = {
        "views": random.integers(0, 256, [count, 2, 4, 16, 16, 3], np.uint8),
        "seeds": random.integers(0, 2**31 - 1, [count, 2, 2], np.int32),
        "label": np.arange(count),
        "weight": np.ones(count, np.float32),
    }
    return {name: values[order] for name, values in examples.items()}


def _strategy(name, num_replicas):
    if name == "multi_worker_mirrored":
        return tf.distribute.MultiWorkerMirroredStrategy()
    if name == "one_device":
        return tf.distribute.OneDeviceStrategy("/cpu:0")
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * num_replicas,
    )
    # Replicas wait for each other, each in a thread: with fewer of these some runs never end.
    tf.config.threading.set_inter_op_parallelism_threads(2 * num_replicas)
    return tf.distribute.MirroredStrategy([f"/cpu:{index}" for index in range(num_replicas)])


def _task(strategy, *, rows=tuple(range(_GLOBAL_BATCH_SIZE)), chunk_size=None, recompute=False):
    return pretrain.Pretraining(
        strategy=strategy,
        feed=_FixedFeed(strategy, list(rows)),
        backbone=functools.partial(tiny.OneBlock, recompute=recompute),
        projection_head=lambda: heads.ProjectionHead(1, 16, 8),
        optimizer=tiny.sgd,
        augmentation=augment.published(),
        decay=1e-3,
        chunk_size=chunk_size,
    )


def _compiled(task):
    """Lets XLA compile the whole step of a replica, augmentation included, as TPUs do."""
    task._replica_step = tf.function(task._replica_step, jit_compile=True, autograph=False)
    return task


def main():
    """Writes what came of each case."""
    settings, output = json.loads(sys.argv[1]), sys.argv[2]
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(max(2, settings.get("replicas", 1)))
    tf.keras.mixed_precision.set_global_policy("float64")
    strategy = _strategy(settings["strategy"], settings.get("replicas", 1))
    for name, case in settings["cases"].items():
        _run(strategy, f"{output}.{name}", **case)
    pathlib.Path(f"{output}.done").touch()
    # Whoever ended by itself would destroy its iterators, and the other workers would miss it.
    signal.pause()


def _run(strategy, output, *, steps=_STEPS, xla=False, predictions=False, **changes):
    """Writes the measures of each step, and weights, momentum and embeddings after the last."""
    tf.keras.utils.set_random_seed(0)
    with strategy.scope():
        task = _task(strategy, **changes)
    if xla:
        task = _compiled(task)
    measures = tiny.steps(task, strategy, steps)
    told = {f"step_{step}_{name}": v for step, m in enumerate(measures) for name, v in m.items()}
    told["embeddings"] = _embeddings(task, strategy)
    items = task.checkpoint_items()
    weights = [*items["backbone"].variables, *items["projection_head"].variables]
    weights += items["optimizer"].variables()
    if predictions:
        _write_predictions(strategy, f"{output}.csv")
    np.savez(f"{output}.npz", **told, **{f"{i} {v.name}": v.numpy() for i, v in enumerate(weights)})


def _write_predictions(strategy, path):
    """Evaluates a detector of random weights, which writes what it says of two key frames."""
    shown = {
        "clips": np.zeros([2, 2, 16, 16, 3], np.uint8),
        "canvas_boxes": np.float32([[[0, 0, 1, 1]]] * 2),
        "boxes": np.float32([[[0, 0, 1, 1]]] * 2),
        "labels": np.float32([[[1, 0]]] * 2),
        "is_tested": np.ones([2, 1], np.float32),
        "is_truth": np.ones([2, 1], np.float32),
        "example_id": np.int32([list(b"a@1"), list(b"b@2")]),
        "weight": np.ones(2, np.float32),
    }
    examples = tf.data.Dataset.from_tensor_slices(shown)
    feed = types.SimpleNamespace(
        global_batch_size=2,
        num_classes=2,
        batches=lambda role: _Kept(
            strategy.distribute_datasets_from_function(
                lambda context: examples.shard(
                    context.num_input_pipelines, context.input_pipeline_id
                ).batch(context.get_per_replica_batch_size(2))
            )
        ),
    )
    with strategy.scope():
        task = detect.Detection(
            strategy=strategy,
            feed=feed,
            backbone=tiny.OneBlock,
            action_head=action_head.ActionHead,
            optimizer=tiny.sgd,
            predictions=path,
        )
    task.evaluate()


def _embeddings(task, strategy):
    """Of the rows of all replicas and workers."""
    collector = views.embedding_collector(task.backbone, strategy=strategy, max_clips_per_pass=8)
    found = collector.collect(task._feed.batches("test"), label="test")
    return found["outputs"][np.argsort(found["label"])]


if __name__ == "__main__":
    main()
