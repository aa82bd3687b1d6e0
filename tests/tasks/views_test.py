# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Means over views, and every video once on any number of replicas."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from official_cvrl.data import augment, pipeline
from official_cvrl.tasks import views
from tests import replicas
from tests.tasks import tiny


@pytest.fixture(scope="module", name="data_dir")
def _data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    tiny.write_records(folder)
    return folder


@pytest.mark.parametrize("max_clips_per_pass", [1, 4, 100])
def test_the_mean_over_views_is_per_video(max_clips_per_pass):
    clips = np.random.default_rng(0).integers(0, 256, [2, 3, 1, 4, 4, 3], np.uint8)
    means = views.mean_over_views(
        lambda part: tf.reduce_mean(part, axis=[1, 2, 3]),
        tf.constant(clips),
        max_clips_per_pass=max_clips_per_pass,
    )
    np.testing.assert_allclose(means, clips.mean(axis=(1, 2, 3, 4)) / 255, rtol=1e-5)


@pytest.mark.parametrize("make_strategy", [tiny.one_device, replicas.two_replicas])
def test_every_video_is_collected_once_and_no_padding(data_dir, make_strategy):
    strategy = make_strategy()
    source = tiny.make_feed(
        data_dir, strategy, pipeline.train_batches, augmentation=augment.crop_flip_only()
    )

    def brightness(part):
        return tf.reduce_mean(views.to_float(part), axis=[1, 2, 3, 4])

    collector = views.Collector(brightness, strategy=strategy)
    found = collector.collect(source.batches("test"), label="test")
    assert sorted(found["label"]) == list(range(5))
    assert [f"video {label}" for label in found["label"]] == [*found["example_id"]]
    shown = {}
    for batch in tiny.make_feed(
        data_dir, tiny.one_device(), pipeline.train_batches, augmentation=augment.crop_flip_only()
    ).batches("test"):
        for label, part in zip(batch["label"].numpy(), batch["views"].numpy(), strict=True):
            shown.setdefault(label, part.mean(axis=(0, 1, 2, 3)) / 255)
    for label, output in zip(found["label"], found["outputs"], strict=True):
        np.testing.assert_allclose(output, shown[label], rtol=1e-4)


def test_the_probe_names_the_class_of_the_nearest(data_dir):
    strategy = tiny.one_device()
    source = tiny.make_feed(
        data_dir, strategy, pipeline.train_batches, augmentation=augment.crop_flip_only()
    )
    # The training videos are their own nearest neighbours.
    itself = dataclasses.replace(source, test_split="train")
    probe = views.KnnProbe(tiny.OneBlock(), itself, strategy=strategy, max_clips_per_pass=8)
    assert probe.num_tested == 0
    assert probe.top1() == {"knn_top1": 1.0}
    assert probe.num_tested == source._shards("train").num_examples
