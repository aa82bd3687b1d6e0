# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The pre-training step of the published code, tf-models-official's `video_ssl`.

Its own model, losses and optimizer class; only what its trainer wraps around them is left out,
because that trainer's step fails with several replicas on anything but TPUs.
"""

import time
from collections.abc import Callable, Mapping

import tensorflow as tf
import tf_keras
from official.core import exp_factory
from official.projects.video_ssl.tasks import pretrain
from official.vision import registry_imports  # noqa: F401 - registers the backbones
from official.vision.configs import backbones_3d

from benchmarks import turns

# Table 1 of the paper: temporal kernel and number of blocks of each stage.
_STAGES = ((1, 3), (1, 4), (3, 6), (3, 3))


def make(settings: Mapping) -> Callable[[], Mapping[str, float]]:
    """Returns what measures one step.

    Args:
        settings: `precision` (of Keras), `videos`, `num_frames`, `crop_size`, `sync_norm`.
    """
    tf_keras.mixed_precision.set_global_policy(settings["precision"])
    task = pretrain.VideoSSLPretrainTask(_task_config(settings))
    model = task.build_model()
    optimizer = tf_keras.optimizers.legacy.SGD(0.01, momentum=0.9)

    @tf.function
    def step(clips):
        with tf.GradientTape() as tape:
            projections = tf.cast(model(clips, training=True), tf.float32)
            losses, _ = task.build_losses(projections, 1, model)
        variables = model.trainable_variables
        gradients = tape.gradient(losses["total_loss"], variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return losses["total_loss"]

    size = settings["crop_size"]
    clips = tf.random.uniform([2 * settings["videos"], settings["num_frames"], size, size, 3])
    before = turns.memory("VmRSS")

    def measure():
        start = time.perf_counter()
        float(step({"image": clips}))
        seconds = time.perf_counter() - start
        peak = turns.memory("VmHWM")
        return {"seconds": seconds, "peak_mb": peak, "step_mb": peak - before}

    measure()
    return measure


def backbone_config(backbone) -> None:
    """Makes a configuration of `video_ssl` that of the paper's R3D-50."""
    backbone.model_id = 50
    backbone.stem_conv_temporal_kernel_size = 5
    backbone.stem_conv_temporal_stride = 2
    backbone.stem_pool_temporal_stride = 1
    backbone.block_specs = tuple(
        backbones_3d.ResNet3DBlock(
            temporal_strides=1, temporal_kernel_sizes=(kernel,) * blocks, use_self_gating=False
        )
        for kernel, blocks in _STAGES
    )


def _task_config(settings):
    config = exp_factory.get_exp_config("video_ssl_pretrain_kinetics600").task
    backbone_config(config.model.backbone.resnet_3d)
    sync = settings.get("sync_norm", True)
    config.model.norm_activation.use_sync_bn = sync
    config.model.hidden_norm_activation.use_sync_bn = sync
    size = settings["crop_size"]
    config.train_data.feature_shape = (settings["num_frames"], size, size, 3)
    return config


if __name__ == "__main__":
    turns.serve(make)
