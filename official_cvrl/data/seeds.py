# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Everything random about the data, as pure functions: seeds, and numbers drawn from seeds."""

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


def split(seed: tf.Tensor, count: int) -> tf.Tensor:
    """Returns independent seeds, int32 [count, 2], made from one, int32 [2]."""
    return tf.random.split(seed, count, alg=_ALGORITHM)


def uniform(seed: tf.Tensor, shape=(), low=0.0, high=1.0) -> tf.Tensor:
    """Draws uniformly from [low, high), float32, the same numbers on every kind of device.

    TensorFlow's own kernels agree on the bits, but each makes other floats of them.

    Args:
        seed: int32 [2].
        shape: of what is drawn.
        low: the least number, broadcast to `shape`.
        high: the bound above, likewise.
    """
    bits = _bits(seed, shape, tf.uint32)
    parts = tf.cast(tf.bitwise.right_shift(bits, 8), tf.float32) * 2.0**-24
    # Multiplied and added at once, as XLA does it, it would round otherwise: so a floor in between.
    return low + tf.floor((high - low) * parts * 2.0**24) * 2.0**-24


def index_below(count: tf.Tensor | int, seed: tf.Tensor) -> tf.Tensor:
    """Draws uniformly from 0 … count - 1, int32 []; seed is int32 [2]."""
    return tf.random.stateless_uniform(
        [], seed, minval=0, maxval=count, dtype=tf.int32, alg=_ALGORITHM
    )


def _fold(pair, number):
    return _pair(_bits(pair, [], tf.int64), number)


def _pair(first, second):
    return tf.stack([tf.cast(first, tf.int64), tf.cast(second, tf.int64)])


def _bits(pair, shape, dtype):
    return tf.random.stateless_uniform(
        shape, pair, minval=None, maxval=None, dtype=dtype, alg=_ALGORITHM
    )
