# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Our pre-training step, as `tasks/pretrain.py` has it, on clips whose colours stay as they are.

The peers' steps are given float clips that their pipelines augmented; here, casting them is a part
of the step.
"""

import time
import types
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from benchmarks import turns
from official_cvrl import optimizers, runtime
from official_cvrl.data import augment
from official_cvrl.modeling import heads, resnet_3d
from official_cvrl.tasks import pretrain


def make(settings: Mapping) -> Callable[[], Mapping[str, float]]:
    """Returns what measures one step.

    Args:
        settings: `precision`, `videos`, `num_frames`, `crop_size`; optional: `chunk_size`,
            `replicas` (logical CPU devices, mirrored), `backbone` and `head`, arguments of
            `resnet_3d.ResNet3D` and `heads.ProjectionHead`.
    """
    strategy = _strategy(settings)
    task = _task(strategy, settings)
    step = tf.function(task.train_step, autograph=False)
    batch = _batch(strategy, settings)
    before = turns.memory("VmRSS")

    def measure():
        start = time.perf_counter()
        float(strategy.experimental_local_results(step(batch)["loss"])[0])
        seconds = time.perf_counter() - start
        peak = turns.memory("VmHWM")
        return {"seconds": seconds, "peak_mb": peak, "step_mb": peak - before}

    measure()
    return measure


def _task(strategy, settings):
    with strategy.scope():
        return pretrain.Pretraining(
            strategy=strategy,
            feed=types.SimpleNamespace(global_batch_size=settings["videos"]),
            backbone=lambda: resnet_3d.ResNet3D(**settings.get("backbone", {})),
            projection_head=lambda: heads.ProjectionHead(**settings.get("head", {})),
            optimizer=lambda: optimizers.sgd(learning_rate=0.01),
            augmentation=augment.crop_flip_only(),
            chunk_size=settings.get("chunk_size"),
        )


def _strategy(settings):
    replicas = settings.get("replicas", 1)
    if replicas > 1:
        device = tf.config.list_physical_devices("CPU")[0]
        parts = [tf.config.LogicalDeviceConfiguration()] * replicas
        tf.config.set_logical_device_configuration(device, parts)
    name = "mirrored" if replicas > 1 else "one_device"
    return runtime.Runtime(strategy=name, precision=settings["precision"]).start(seed=0)


def _batch(strategy, settings):
    random = np.random.default_rng(0)
    size = settings["crop_size"]
    shape = [settings["videos"], 2, settings["num_frames"], size, size, 3]
    batch = {
        "views": random.integers(0, 256, shape, np.uint8),
        "seeds": random.integers(0, 2**30, [settings["videos"], 2, 2], np.int32),
    }
    rows = settings["videos"] // strategy.num_replicas_in_sync
    dataset = tf.data.Dataset.from_tensors(batch).unbatch().batch(rows, drop_remainder=True)
    return next(iter(strategy.distribute_datasets_from_function(lambda _: dataset)))


if __name__ == "__main__":
    turns.serve(make)
