# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Means over views, and every video once on any number of replicas."""

import types

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


class _Colour(tf.keras.Model):
    """A clip's embedding is the colour of its one pixel."""

    def call(self, clips, training=False):
        return {"embedding": tf.reshape(clips, [-1, 3])}


def _probed(**parts):
    """Probes videos that are given by the channel that is bright and the label."""

    def batch(videos):
        channels, labels = zip(*videos, strict=True)
        clips = np.reshape(255 * np.eye(3)[list(channels)], [-1, 1, 1, 1, 1, 3])
        return {
            "views": tf.constant(clips, tf.uint8),
            "label": tf.constant(labels, tf.int64),
            "weight": tf.ones(len(videos)),
        }

    made = {f"probe_{part}": [batch(videos)] for part, videos in parts.items()}
    feed = types.SimpleNamespace(batches=made.get)
    probe = views.KnnProbe(_Colour(), feed, strategy=tiny.one_device(), max_clips_per_pass=8)
    assert probe.num_tested == 0
    return probe.top1(), probe.num_tested


def test_the_probe_leaves_out_videos_without_a_label_and_says_so(capsys):
    """Of the test videos the first is right, the second wrong, the third as near to either class.

    It is nearest to the training video without a label, which would vote for the last class.
    """
    train = [(0, 0), (1, 1), (2, -1)]
    test = [(1, 1), (0, 1), (2, 0), (0, -1), (0, -1)]
    assert _probed(train=train, test=test) == ({"knn_top1": 2 / 3}, 3)
    said = capsys.readouterr().out
    assert "kNN probe: 1 of 3 train videos have no label and are left out." in said
    assert "kNN probe: 2 of 5 test videos have no label and are left out." in said
    assert _probed(train=[(0, -1)], test=test) == ({}, 0)
    assert _probed(train=train, test=[(0, -1)]) == ({}, 0)
