# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""In which order a host reads its examples: a function of the seed and the epoch."""

from collections.abc import Sequence

import tensorflow as tf

from official_cvrl.data import seeds, shares

# Fixed, because the order of the examples depends on it.
_SHARDS_READ_AT_ONCE = 16
_BYTES_READ_AT_ONCE = 256 << 10


def shuffled_epochs(
    own: Sequence[shares.HostShard],
    *,
    compression: str,
    seed: int,
    shuffle_buffer: int,
    rows_per_step: int,
    start_step: int = 0,
) -> tf.data.Dataset:
    """Returns the records epoch after epoch, each time in another order, without end.

    An epoch permutes the shards, reads several at once, and sends what it reads through a shuffle
    buffer. Its last records, which do not fill a step, are left out, so that no step reaches into
    the next epoch, where it could meet a video twice. All of it depends on the seed and the epoch
    only, so a stream from the middle on is the rest of the whole stream. What is skipped is read,
    not parsed.

    Args:
        own: see `shares.host_shards`.
        compression: of the shards.
        seed: of the order.
        shuffle_buffer: records that wait, undecoded, to be drawn from.
        rows_per_step: records that this host reads for a step, at most as many as it has.
        start_step: steps that were done before.

    Returns:
        Dataset of (epoch int64 [], serialized string []).
    """

    def epoch_of(number):
        shard_seed, buffer_seed = tf.unstack(seeds.epoch_seeds(seed, epoch=number, count=2))
        order = tf.random.experimental.stateless_shuffle(tf.range(len(own)), shard_seed)
        records = _table(own, order).interleave(
            lambda *shard: _records(*shard, compression),
            cycle_length=min(len(own), _SHARDS_READ_AT_ONCE),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        records = records.map(lambda serialized: (number, serialized))
        shuffled = _shuffled(records, shuffle_buffer, buffer_seed)
        return shuffled.take(steps_per_epoch * rows_per_step)

    steps_per_epoch = sum(shard.count for shard in own) // rows_per_step
    first_epoch, skipped_steps = divmod(start_step, steps_per_epoch)
    epochs = tf.data.Dataset.counter(first_epoch).flat_map(epoch_of)
    return epochs.skip(skipped_steps * rows_per_step)


def dealt_epochs(
    own: Sequence[shares.HostShard],
    *,
    compression: str,
    seed: int,
    shuffle_buffer: int,
    rows_per_step: int,
    start_step: int = 0,
) -> tf.data.Dataset:
    """Returns the records epoch after epoch, for a tf.data service to deal out to its workers.

    The service deals out the elements of the first dataset: here one for each shard of each epoch,
    in the epoch's order. So every shard of an epoch is read by one worker, which shuffles what it
    is dealt. Which worker that is depends on how fast they are, and so does the order.

    Args and returns are those of `shuffled_epochs`. What is skipped is whole shards, as many as
    hold about the records of the steps done. Near the end of an epoch a step may reach into the
    next.
    """

    def shard_of(number):
        epoch, index = number // len(own), number % len(own)
        order_seed = seeds.epoch_seeds(seed, epoch=epoch, count=1)[0]
        order = tf.random.experimental.stateless_shuffle(tf.range(len(own)), order_seed)
        records = _table(own, order[index : index + 1]).flat_map(
            lambda *shard: _records(*shard, compression)
        )
        return records.map(lambda serialized: (epoch, serialized))

    in_an_epoch = sum(shard.count for shard in own)
    first = start_step * rows_per_step * len(own) // in_an_epoch
    # Not `counter`, which every worker would count through on its own.
    records = tf.data.Dataset.range(first, tf.int64.max).interleave(
        shard_of,
        cycle_length=min(len(own), _SHARDS_READ_AT_ONCE),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    buffer_seed = seeds.epoch_seeds(seed, epoch=0, count=1)[0]
    # It reaches over the end of an epoch; no further than the next one.
    return _shuffled(records, min(shuffle_buffer, in_an_epoch), buffer_seed)


def one_pass(own: Sequence[shares.HostShard], *, compression: str) -> tf.data.Dataset:
    """Returns the records once, in the order of the shards: Dataset of string []."""
    table = _table(own, tf.range(len(own)))
    return table.flat_map(lambda *shard: _records(*shard, compression))


def _table(own, order):
    columns = (
        tf.constant([shard.path for shard in own]),
        tf.constant([shard.first for shard in own], tf.int64),
        tf.constant([shard.step for shard in own], tf.int64),
        tf.constant([shard.count for shard in own], tf.int64),
        tf.constant([shard.offset for shard in own], tf.int64),
    )
    return tf.data.Dataset.from_tensor_slices(tuple(tf.gather(part, order) for part in columns))


def _records(path, first, step, count, offset, compression):
    """`TFRecordDataset` begins at the beginning of a file, and has no argument to begin later."""
    variant = tf.raw_ops.TFRecordDatasetV2(
        filenames=path,
        compression_type=compression,
        buffer_size=_BYTES_READ_AT_ONCE,
        byte_offsets=offset,
    )
    records = tf.data.experimental.from_variant(variant, tf.TensorSpec([], tf.string))
    return records.shard(step, first).take(count)


def _shuffled(dataset, buffer_size, seed):
    """`Dataset.shuffle` takes no tensor as its seed, and mixes the process's global seed in."""
    variant = tf.raw_ops.ShuffleDataset(
        input_dataset=tf.data.experimental.to_variant(dataset),
        buffer_size=buffer_size,
        seed=seed[0],
        seed2=seed[1],
        reshuffle_each_iteration=False,
        output_types=[spec.dtype for spec in tf.nest.flatten(dataset.element_spec)],
        output_shapes=[spec.shape for spec in tf.nest.flatten(dataset.element_spec)],
    )
    return tf.data.experimental.from_variant(variant, dataset.element_spec)
