# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Seeds of everything that is random about the data, as pure functions of what they are for."""

import tensorflow as tf

# Named, because the automatic choice differs between kinds of devices.
_ALGORITHM = "philox"


def example_seeds(
    seed: tf.Tensor | int,
    *,
    example_key: tf.Tensor | int,
    epoch: tf.Tensor | int,
    count: int,
) -> tf.Tensor:
    """Returns the seeds of one example in one epoch, one for each thing that is drawn.

    The run's seed and the example's key are the 128-bit key of a Philox generator; its first 64
    bits and the epoch are the key of the next one, and that one's output is the seeds. Nothing is
    added or reduced on the way, so different arguments give independent seeds.

    Args:
        seed: int [], the run's.
        example_key: int64 [], see `records.parse_example`.
        epoch: int [], how often the example was seen before.
        count: how many seeds.

    Returns:
        int32 [count, 2].
    """
    return _bits(_fold(_pair(seed, example_key), epoch), [count, 2], tf.int32)


def epoch_seeds(seed: tf.Tensor | int, *, epoch: tf.Tensor | int, count: int) -> tf.Tensor:
    """Returns seeds for the order of the examples in one epoch, int64 [count, 2]."""
    return _bits(_pair(seed, epoch), [count, 2], tf.int64)


def _fold(pair, number):
    return _pair(_bits(pair, [], tf.int64), number)


def _pair(first, second):
    return tf.stack([tf.cast(first, tf.int64), tf.cast(second, tf.int64)])


def _bits(pair, shape, dtype):
    return tf.random.stateless_uniform(
        shape, pair, minval=None, maxval=None, dtype=dtype, alg=_ALGORITHM
    )
