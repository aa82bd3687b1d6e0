# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What the tests of tasks share: a backbone of a few thousand weights, a feed of tiny shards."""

import functools

import tensorflow as tf

from official_cvrl import optimizers
from official_cvrl.data import clip_format, feed
from official_cvrl.modeling import blocks, convolution, resnet_3d
from tests.data import shards

CLIP = {"num_frames": 2, "temporal_stride": 1, "crop_size": 8}


def backbone():
    """Makes a backbone whose embedding has 32 entries."""
    return resnet_3d.ResNet3D(depth=18, width_multiplier=1 / 16, stem_pool=False)


class OneBlock(tf.keras.Model):
    """The smallest backbone with norms to synchronise and something to recompute.

    It is for tests of steps that any backbone has to pass, since tracing takes their time.
    """

    embedding_dim = 8

    def __init__(self, *, recompute=False):
        super().__init__()
        self._recompute = recompute
        self.block = blocks.BasicBlock(self.embedding_dim, spatial_stride=2)
        blocks.build_layer(self.block, 3)

    def call(self, clips, training=False):
        """Encodes clips as `ResNet3D` does, with the endpoints "conv5" and "embedding"."""

        def apply(frames):
            return self.block(frames, clips.shape[1], training=training)

        frames = convolution.as_frames(tf.cast(clips, self.compute_dtype))
        frames = (blocks.recomputed(apply) if self._recompute else apply)(frames)
        conv5 = convolution.as_clips(frames, clips.shape[1])
        embedding = tf.reduce_mean(tf.cast(conv5, self.variable_dtype), axis=[1, 2, 3])
        return {"conv5": conv5, "embedding": embedding}


def sgd():
    """Makes the optimizer."""
    return optimizers.sgd(learning_rate=0.1)


def one_device():
    """Returns a strategy of one replica."""
    return tf.distribute.OneDeviceStrategy("/cpu:0")


def write_records(folder):
    """Writes eight videos to train on and five to test, each of another label."""
    shards.write(folder, 8)
    shards.write(folder, 5, split="test")
    (folder / "labels.txt").write_text("\n".join("abcdefgh") + "\n")


def make_feed(data_dir, strategy, train_input, *, augmentation, num_test_clips=1):
    """Makes a feed of batches of four videos."""
    tested = feed.TestInput(
        clip=clip_format.ClipFormat(min_resize=10, **CLIP),
        num_test_clips=num_test_clips,
        num_test_crops=1,
        global_batch_size=2,
    )
    return feed.Feed(
        data_dir=str(data_dir),
        strategy=strategy,
        global_batch_size=4,
        seed=0,
        train_input=functools.partial(train_input, augmentation=augmentation, **CLIP),
        test_input=tested,
        probe_input=tested,
        train_split="train",
        test_split="test",
    )


def steps(task, strategy, count):
    """Runs training steps; returns the outputs of each, means over the replicas."""

    @tf.function(autograph=False)
    def step(batch):
        outputs = task.train_step(batch)
        return {name: strategy.reduce("MEAN", part, axis=None) for name, part in outputs.items()}

    batches = iter(task.train_dataset(start_step=0))
    return [{k: float(v) for k, v in step(next(batches)).items()} for _ in range(count)]


def values(module):
    """Returns all variables of a model or layer, by position."""
    return [variable.numpy() for variable in module.variables]
