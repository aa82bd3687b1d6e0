# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The published code's evaluation on dense views: its parser and its classifier."""

from collections.abc import Callable, Mapping

import tensorflow as tf
import tf_keras
from official.core import exp_factory
from official.projects.video_ssl.tasks import linear_eval
from official.vision import registry_imports  # noqa: F401 - registers the backbones

from benchmarks import turns
from benchmarks.peers import own_evaluation, published_input, published_step


def make(settings: Mapping) -> Callable[[], Mapping[str, float]]:
    """Returns what measures views a second.

    Args:
        settings: `data_dir`, `precision`, `videos` of a measurement, `num_frames`,
            `temporal_stride`, `min_resize`, `crop_size`, `num_test_clips`, `num_test_crops`.
    """
    tf_keras.mixed_precision.set_global_policy(settings["precision"])
    model = _model(settings)
    num_views = settings["num_test_clips"] * settings["num_test_crops"]

    @tf.function
    def probabilities(features):
        logits = model(features, training=False)
        by_view = tf.reshape(tf.nn.softmax(logits), [-1, num_views, logits.shape[-1]])
        return tf.reduce_mean(by_view, axis=1)

    dataset = published_input.batches(
        settings | {"videos": 1, "split": "test"},
        is_ssl=False,
        is_training=False,
        min_image_size=settings["min_resize"],
        num_test_clips=settings["num_test_clips"],
        num_test_crops=settings["num_test_crops"],
    ).take(settings["videos"])

    def evaluate():
        return [probabilities(features).numpy() for features, _ in dataset]

    return own_evaluation.views_timer(evaluate, settings["videos"] * num_views)


def _model(settings):
    config = exp_factory.get_exp_config("video_ssl_linear_eval_kinetics600").task
    published_step.backbone_config(config.model.backbone.resnet_3d)
    size = settings["crop_size"]
    config.train_data.feature_shape = (settings["num_frames"], size, size, 3)
    return linear_eval.VideoSSLEvalTask(config).build_model()


if __name__ == "__main__":
    turns.serve(make)
