# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Shards to batches: parse, sample, decode what was sampled, augment on the host."""

import tensorflow as tf

from official_cvrl import errors, manifest, records
from official_cvrl.data import augment, sampling, spatial

_SHUFFLE_BUFFER = 1024
_ONE_HOST = tf.distribute.InputContext()


def two_view_batches(
    shards: manifest.ShardSet,
    *,
    global_batch_size: int,
    seed: int,
    num_frames: int,
    temporal_stride: int,
    crop_size: int,
    augmentation: augment.Augmentation,
    power: float = 1.0,
    trend: str = "decreasing",
    temporal_augmentation: bool = True,
    start_step: int = 0,
    input_context: tf.distribute.InputContext = _ONE_HOST,
) -> tf.data.Dataset:
    """Two views of each video."""

    def views(record, view_seeds):
        count = tf.shape(record["frames"])[0]
        frames = sampling.two_view_frames(
            count,
            num_frames=num_frames,
            temporal_stride=temporal_stride,
            seed=view_seeds[0],
            power=power,
            trend=trend,
            temporal_augmentation=temporal_augmentation,
        )
        clips = [
            spatial.random_crop_resize_flip(
                tf.ensure_shape(tf.gather(record["frames"], indices), [num_frames]),
                crop_size=crop_size,
                seed=view_seeds[1 + view],
                augmentation=augmentation,
            )
            for view, indices in enumerate(frames)
        ]
        return {"views": tf.stack(clips), "seeds": tf.stack(view_seeds[3:5])}

    return _training_batches(shards, views, global_batch_size, seed, start_step, input_context)


def train_batches(
    shards: manifest.ShardSet,
    *,
    global_batch_size: int,
    seed: int,
    num_frames: int,
    temporal_stride: int,
    crop_size: int,
    augmentation: augment.Augmentation,
    start_step: int = 0,
    input_context: tf.distribute.InputContext = _ONE_HOST,
) -> tf.data.Dataset:
    """One random clip of each video."""

    def clip(record, seeds):
        indices = sampling.random_clip_frames(
            tf.shape(record["frames"])[0],
            num_frames=num_frames,
            temporal_stride=temporal_stride,
            seed=seeds[0],
        )
        frames = tf.ensure_shape(tf.gather(record["frames"], indices), [num_frames])
        return {
            "clips": spatial.random_crop_resize_flip(
                frames, crop_size=crop_size, seed=seeds[1], augmentation=augmentation
            )
        }

    return _training_batches(shards, clip, global_batch_size, seed, start_step, input_context)


def test_batches(
    shards: manifest.ShardSet,
    *,
    num_frames: int,
    temporal_stride: int,
    min_resize: int,
    crop_size: int,
    num_test_clips: int,
    num_test_crops: int,
    global_batch_size: int,
    input_context: tf.distribute.InputContext = _ONE_HOST,
) -> tf.data.Dataset:
    """Every video once, in order."""
    per_replica = input_context.get_per_replica_batch_size(global_batch_size)

    def example(serialized):
        record = records.parse_example(serialized)
        indices = sampling.dense_clip_frames(
            tf.shape(record["frames"])[0],
            num_frames=num_frames,
            temporal_stride=temporal_stride,
            num_test_clips=num_test_clips,
        )
        needed, places = tf.unique(tf.reshape(indices, [-1]))
        decoded = tf.map_fn(
            lambda jpeg: tf.io.decode_jpeg(jpeg, channels=3),
            tf.gather(record["frames"], needed),
            fn_output_signature=tf.uint8,
        )
        crops = spatial.test_crops(
            spatial.resize_shorter_side(decoded, min_resize=min_resize),
            crop_size=crop_size,
            num_test_crops=num_test_crops,
        )
        views = tf.gather(crops, places, axis=1)
        shape = [num_test_crops, num_test_clips, num_frames, crop_size, crop_size, 3]
        views = tf.transpose(tf.reshape(views, shape), [1, 0, 2, 3, 4, 5])
        return {
            "views": tf.reshape(views, [num_test_clips * num_test_crops, *shape[2:]]),
            "label": _label(record),
            "example_key": record["example_key"],
            "weight": 1.0,
        }

    dataset = tf.data.TFRecordDataset(list(shards.paths), shards.compression)
    dataset = dataset.shard(input_context.num_input_pipelines, input_context.input_pipeline_id)
    dataset = dataset.map(example, tf.data.AUTOTUNE).batch(per_replica)
    return dataset.map(lambda batch: _padded(batch, per_replica)).prefetch(2)


def _padded(batch, size):
    missing = size - tf.shape(batch["weight"])[0]
    return {
        name: tf.ensure_shape(
            tf.pad(value, [[0, missing]] + [[0, 0]] * (value.shape.rank - 1)),
            [size, *value.shape[1:]],
        )
        for name, value in batch.items()
    }


def _training_batches(shards, views, global_batch_size, seed, start_step, input_context):
    if global_batch_size > shards.num_examples:
        raise errors.UserError(
            f"global_batch_size={global_batch_size} is more than the {shards.num_examples} videos "
            f"of split {shards.split!r}; take a smaller batch."
        )
    per_replica = input_context.get_per_replica_batch_size(global_batch_size)
    hosts = input_context.num_input_pipelines
    own = -(-(shards.num_examples - input_context.input_pipeline_id) // hosts)
    epoch, skipped = divmod(start_step * global_batch_size // hosts, own)

    def epoch_of(number):
        dataset = tf.data.TFRecordDataset(list(shards.paths), shards.compression)
        dataset = dataset.shard(hosts, input_context.input_pipeline_id)
        windows = dataset.batch(_SHUFFLE_BUFFER).map(
            lambda window: tf.random.experimental.stateless_shuffle(window, [seed, number])
        )
        return windows.unbatch().map(lambda serialized: (number, serialized))

    first = epoch_of(tf.constant(epoch, tf.int64)).skip(skipped)
    rest = tf.data.Dataset.counter(epoch + 1).flat_map(epoch_of)

    def example(number, serialized):
        record = records.parse_example(serialized)
        key = record["example_key"]
        base = tf.stack([tf.cast(seed, tf.int64), key])
        base = tf.cast(base % 2147483647, tf.int32) + tf.stack([0, tf.cast(number, tf.int32)])
        seeds = tf.unstack(tf.random.split(tf.random.fold_in(base, tf.cast(number, tf.int32)), 5))
        return views(record, seeds) | {"label": _label(record), "example_key": key}

    dataset = first.concatenate(rest).map(example, tf.data.AUTOTUNE)
    return dataset.batch(per_replica, drop_remainder=True).prefetch(2)


def _label(record):
    return tf.cond(
        tf.size(record["labels"]) > 0,
        lambda: record["labels"][0],
        lambda: tf.constant(-1, tf.int64),
    )
