# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Shards to batches: parse, sample, decode what was sampled, augment on the host.

The order of the examples depends on the seed and the epoch, and what is drawn for an example on
the seed, its key and the epoch: neither on the number of threads nor of hosts.
"""

from collections.abc import Callable

import tensorflow as tf

from official_cvrl import manifest, records
from official_cvrl.data import (
    augment,
    decode,
    example_ids,
    faults,
    order,
    sampling,
    seeds,
    shares,
    spatial,
)

# Everything here is graph code as it stands; rewriting it took four seconds of every start.
_without_autograph = tf.autograph.experimental.do_not_convert
_ONE_HOST = tf.distribute.InputContext()
# Of whole videos, not decoded: 4 GB of Kinetics at a shorter side of 320.
_SHUFFLE_BUFFER = 512


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
    shuffle_buffer: int = _SHUFFLE_BUFFER,
    deterministic: bool = True,
    read_epochs: Callable[..., tf.data.Dataset] = order.shuffled_epochs,
    input_context: tf.distribute.InputContext = _ONE_HOST,
) -> tf.data.Dataset:
    """Two views of each video (section 3.3), epoch after epoch.

    No batch holds a video twice, since its copy would count as a negative: what is left of an epoch
    after its last whole batch is left out of it.

    Args:
        shards: what to read.
        global_batch_size: videos of a batch over all replicas and hosts.
        seed: of the order and of all draws.
        num_frames: frames of a clip.
        temporal_stride: video frames from one frame of a clip to the next.
        crop_size: height and width of a clip.
        augmentation: crop and flip are done here, colours by `photometric`.
        power: see `sampling.two_view_frames`, also for the next two.
        trend: of the interval between the clips.
        temporal_augmentation: False takes both clips at one place.
        start_step: batches that were read before; the stream goes on behind them.
        shuffle_buffer: undecoded videos that wait to be drawn from.
        deterministic: False lets batches form in the order in which videos are ready, also
            across the border of two epochs; each video's views stay what they are.
        read_epochs: in which order, see `order.shuffled_epochs` and `order.dealt_epochs`.
        input_context: which host reads which part, and how large its batches are.

    Returns:
        Batches of one replica: "views" uint8 [batch, 2, num_frames, crop_size, crop_size, 3],
        "seeds" int32 [batch, 2, 2] for `photometric`, "label" int64 [batch] (-1: none),
        "example_key" int64 [batch].

    Raises:
        UserError: a batch is larger than the data set, or a host's part of it than what it reads.
        ValueError: a number that is not positive, or an unknown trend.
    """
    _check_positive(num_frames=num_frames, temporal_stride=temporal_stride, crop_size=crop_size)
    sampling.check_interval(power=power, trend=trend)

    def views(serialized, epoch):
        record = parse(serialized)
        drawn = seeds.example_seeds(seed, example_key=record["example_key"], epoch=epoch, count=5)
        indices = sampling.two_view_frames(
            tf.size(record["frames"]),
            num_frames=num_frames,
            temporal_stride=temporal_stride,
            seed=drawn[0],
            power=power,
            trend=trend,
            temporal_augmentation=temporal_augmentation,
        )
        clips = [
            spatial.random_crop_resize_flip(
                frames, crop_size=crop_size, seed=drawn[1 + view], augmentation=augmentation
            )
            for view, frames in enumerate(tf.split(frames_of(record, tf.concat(indices, 0)), 2))
        ]
        return {"views": tf.stack(clips), "seeds": drawn[3:]} | _identity(record, shards)

    return shuffled_batches(
        shards,
        views,
        global_batch_size=global_batch_size,
        seed=seed,
        start_step=start_step,
        shuffle_buffer=shuffle_buffer,
        deterministic=deterministic,
        read_epochs=read_epochs,
        input_context=input_context,
    )


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
    shuffle_buffer: int = _SHUFFLE_BUFFER,
    deterministic: bool = True,
    read_epochs: Callable[..., tf.data.Dataset] = order.shuffled_epochs,
    input_context: tf.distribute.InputContext = _ONE_HOST,
) -> tf.data.Dataset:
    """One random clip of each labelled video, epoch after epoch.

    Args, order and errors are those of `two_view_batches`.

    Returns:
        Batches of one replica: "clips" uint8 [batch, num_frames, crop_size, crop_size, 3],
        "label" int64 [batch], "example_key" int64 [batch].
    """
    _check_positive(num_frames=num_frames, temporal_stride=temporal_stride, crop_size=crop_size)

    def clip(serialized, epoch):
        record = parse(serialized)
        drawn = seeds.example_seeds(seed, example_key=record["example_key"], epoch=epoch, count=2)
        indices = sampling.random_clip_frames(
            tf.size(record["frames"]),
            num_frames=num_frames,
            temporal_stride=temporal_stride,
            seed=drawn[0],
        )
        frames = spatial.random_crop_resize_flip(
            frames_of(record, indices),
            crop_size=crop_size,
            seed=drawn[1],
            augmentation=augmentation,
        )
        return {"clips": _require_one_label(record, frames)} | _identity(record, shards)

    return shuffled_batches(
        shards,
        clip,
        global_batch_size=global_batch_size,
        seed=seed,
        start_step=start_step,
        shuffle_buffer=shuffle_buffer,
        deterministic=deterministic,
        read_epochs=read_epochs,
        input_context=input_context,
    )


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
    """Every video once, in order; every replica of every host gets equally many batches.

    Args:
        shards: what to read.
        num_frames: frames of a clip.
        temporal_stride: video frames from one frame of a clip to the next.
        min_resize: pixels of the shorter side.
        crop_size: height and width of a crop.
        num_test_clips: clips spread evenly over the video; 1 is the middle clip.
        num_test_crops: crops along the longer side; 1 is the centre.
        global_batch_size: videos of a batch over all replicas and hosts.
        input_context: which host reads which part, and how large its batches are.

    Returns:
        Batches of one replica: "views" uint8 [batch, num_test_clips * num_test_crops, num_frames,
        crop_size, crop_size, 3], "label" int64 [batch] (-1: none), "example_key" int64 [batch],
        "example_id" int32 [batch, 512], see `example_ids.to_numbers`, "weight" float32 [batch],
        0.0 where a row is padding.
    """

    def example(serialized):
        record = parse(serialized)
        views = test_views(
            record,
            num_frames=num_frames,
            temporal_stride=temporal_stride,
            min_resize=min_resize,
            crop_size=crop_size,
            num_test_clips=num_test_clips,
            num_test_crops=num_test_crops,
        )
        name = example_ids.to_numbers(record["example_id"])
        return {"views": views, "example_id": name, "weight": 1.0} | _identity(record, shards)

    return batches_once(
        shards, example, global_batch_size=global_batch_size, input_context=input_context
    )


@_without_autograph
def batches_once(
    shards: manifest.ShardSet,
    example: Callable,
    *,
    global_batch_size: int,
    input_context: tf.distribute.InputContext = _ONE_HOST,
) -> tf.data.Dataset:
    """Every record once, in order, with rows of zeros at the end of a host that has fewer.

    Args:
        shards: what to read.
        example: makes an element, a dict of static shapes, of a serialized record.
        global_batch_size: see `test_batches`, also for the next.
        input_context: which host reads which part.
    """
    per_replica = input_context.get_per_replica_batch_size(global_batch_size)
    own, rows = shares.for_test(shards, global_batch_size, input_context)
    dataset = order.one_pass(own, compression=shards.compression)
    dataset = dataset.map(example, tf.data.AUTOTUNE)
    padding = tf.data.Dataset.range(rows).map(lambda _: _zeros(dataset.element_spec))
    dataset = dataset.concatenate(padding).take(rows)
    return dataset.batch(per_replica, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def parse(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns what `records.parse_example` does.

    Raises:
        tf.errors.InvalidArgumentError: the record has another layout, or no frames.
    """
    record = records.parse_example(serialized)
    frames = record["frames"]
    frames = faults.require(
        tf.size(frames) > 0, frames, example_id=record["example_id"], fault="has no frames"
    )
    return record | {"frames": frames}


def test_views(
    record: dict[str, tf.Tensor],
    *,
    num_frames: int,
    temporal_stride: int,
    min_resize: int,
    crop_size: int,
    num_test_clips: int,
    num_test_crops: int,
) -> tf.Tensor:
    """Returns what evaluation sees of one video.

    Args:
        record: see `parse`; for the others see `test_batches`.
        num_frames: frames of a clip.
        temporal_stride: video frames from one frame of a clip to the next.
        min_resize: pixels of the shorter side.
        crop_size: height and width of a crop.
        num_test_clips: clips spread evenly over the video.
        num_test_crops: crops along the longer side.

    Returns:
        uint8 [num_test_clips * num_test_crops, num_frames, crop_size, crop_size, 3], the crops of
        the first clip first.

    Raises:
        tf.errors.InvalidArgumentError: a frame is no JPEG, or sizes differ.
    """
    indices = sampling.dense_clip_frames(
        tf.size(record["frames"]),
        num_frames=num_frames,
        temporal_stride=temporal_stride,
        num_test_clips=num_test_clips,
    )
    needed, places = tf.unique(tf.reshape(indices, [-1]))
    frames = spatial.decode_resized(frames_of(record, needed), min_resize=min_resize)
    crops = spatial.test_crops(frames, crop_size=crop_size, num_test_crops=num_test_crops)
    places = tf.reshape(places, [num_test_clips, num_frames])
    by_clip = tf.stack([tf.gather(crop, places) for crop in tf.unstack(crops)], axis=1)
    return tf.reshape(by_clip, [-1, *by_clip.shape[2:]])


@_without_autograph
def shuffled_batches(
    shards: manifest.ShardSet,
    example: Callable,
    *,
    global_batch_size: int,
    seed: int,
    start_step: int = 0,
    shuffle_buffer: int = _SHUFFLE_BUFFER,
    deterministic: bool = True,
    read_epochs: Callable[..., tf.data.Dataset] = order.shuffled_epochs,
    input_context: tf.distribute.InputContext = _ONE_HOST,
) -> tf.data.Dataset:
    """Epoch after epoch, each in another order; args, order and errors as of `two_view_batches`.

    Args:
        shards: what to read.
        example: makes an element, a dict of static shapes, of a serialized record and the epoch.
        global_batch_size: videos of a batch over all replicas and hosts.
        seed: of the order.
        start_step: batches that were read before.
        shuffle_buffer: undecoded videos that wait to be drawn from.
        deterministic: whether batches form in the order of the examples.
        read_epochs: see `two_view_batches`.
        input_context: which host reads which part.
    """
    per_replica = input_context.get_per_replica_batch_size(global_batch_size)
    own, rows_per_step = shares.for_training(shards, global_batch_size, input_context)
    serialized = read_epochs(
        own,
        compression=shards.compression,
        seed=seed,
        shuffle_buffer=shuffle_buffer,
        rows_per_step=rows_per_step,
        start_step=start_step,
    )
    options = tf.data.Options()
    options.deterministic = deterministic
    examples = serialized.map(lambda epoch, one: example(one, epoch), tf.data.AUTOTUNE)
    dataset = examples.batch(per_replica, drop_remainder=True)
    return dataset.prefetch(tf.data.AUTOTUNE).with_options(options)


def _check_positive(**numbers):
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name}={number} must be at least 1.")


def frames_of(record, indices):
    """Returns some frames of a parsed record, each a whole JPEG of the same size, or fails."""
    frames = tf.gather(record["frames"], indices)
    return decode.readable(frames, example_id=record["example_id"])


def _require_one_label(record, value):
    labels, named = record["labels"], {"example_id": record["example_id"], "unfit": True}
    several = "has {} labels, and a classifier learns one a video; leave others out"
    fault = tf.strings.format(several, tf.size(labels))
    value = faults.require(tf.size(labels) < 2, value, fault=fault, **named)
    fault = "has no label; leave it out, or convert with labels (docs/data.md)"
    return faults.require(tf.reduce_any(labels >= 0), value, fault=fault, **named)


def _identity(record, shards):
    """Returns the first label, or -1, and the key."""
    label, example_id = tf.concat([record["labels"], [-1]], axis=0)[0], record["example_id"]
    fault = tf.strings.format("has the label {}, and labels count from 0 (-1: none)", label)
    label = faults.require(label >= -1, label, example_id=example_id, fault=fault)
    if shards.label_names:
        known = label < len(shards.label_names)
        fault = f"has a label beyond the {len(shards.label_names)} of labels.txt"
        label = faults.require(known, label, example_id=example_id, fault=fault)
    return {"label": label, "example_key": record["example_key"]}


def _zeros(element_spec):
    return tf.nest.map_structure(lambda spec: tf.zeros(spec.shape, spec.dtype), element_spec)
