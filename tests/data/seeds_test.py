# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Seeds: none twice, what is drawn with them is independent, and the same under XLA."""

import numpy as np
import tensorflow as tf

from official_cvrl.data import seeds
from tests.data import distributions

_COUNT = 4000


def _table(seed, keys, epochs, count=2):
    """Returns the seeds, int32 [keys, epochs, count, 2]."""
    pairs = tf.reshape(tf.stack(tf.meshgrid(keys, epochs, indexing="ij"), axis=-1), [-1, 2])

    dataset = tf.data.Dataset.from_tensor_slices(pairs).map(
        lambda pair: seeds.example_seeds(seed, example_key=pair[0], epoch=pair[1], count=count)
    )
    found = np.array(list(dataset.as_numpy_iterator()))
    return found.reshape([len(keys), len(epochs), count, 2])


def _pairs():
    return np.stack([np.arange(_COUNT), np.full(_COUNT, 7)], axis=1).astype(np.int32)


def _each(function, pairs, jit_compile=False):
    """What a function draws from each of many seeds."""
    structure = tf.nest.map_structure(lambda part: part.dtype, function(pairs[0]))

    @tf.function(jit_compile=jit_compile)
    def run():
        return tf.map_fn(function, tf.constant(pairs), fn_output_signature=structure)

    return tf.nest.map_structure(lambda part: part.numpy(), run())


class SeedsTest(tf.test.TestCase):
    def test_no_two_are_equal(self):
        # Neighbours, multiples of 2**31 - 1 apart, and bits that int32 does not hold.
        keys = np.concatenate(
            [np.arange(20), np.arange(1, 21) * (2**31 - 1), 2**62 + np.arange(20)]
        )
        tables = [_table(seed, keys, np.arange(20)) for seed in (0, 1, -1, 2**31 - 1)]
        found = np.concatenate([table.reshape(-1, 2) for table in tables])
        self.assertLen(np.unique(found, axis=0), 4 * 60 * 20 * 2)

    def test_draws_are_uniform_and_independent_across_examples_epochs_and_views(self):
        table = _table(0, np.arange(60), np.arange(60))
        drawn = _each(seeds.uniform, table.reshape(-1, 2)).reshape(60, 60, 2)
        distributions.assert_uniform(drawn)
        for one, other in (
            (drawn[1:], drawn[:-1]),
            (drawn[:, 1:], drawn[:, :-1]),
            (drawn[..., 0], drawn[..., 1]),
        ):
            distributions.assert_uncorrelated(one.ravel(), other.ravel())

    def test_split_seeds_are_unlike_and_independent(self):
        parts = _each(lambda seed: seeds.split(seed, 3), _pairs())
        self.assertLen(np.unique(parts.reshape(-1, 2), axis=0), 3 * _COUNT)
        drawn = _each(seeds.uniform, parts.reshape(-1, 2)).reshape(_COUNT, 3)
        distributions.assert_uniform(drawn)
        distributions.assert_uncorrelated(*drawn.T)

    def test_ranges(self):
        low, high = tf.constant([-0.2, 0.1]), tf.constant([0.2, 2.0])
        drawn = _each(lambda seed: seeds.uniform(seed, [2], low, high), _pairs())
        distributions.assert_uniform(drawn[:, 0], -0.2, 0.2)
        distributions.assert_uniform(drawn[:, 1], 0.1, 2.0)
        distributions.assert_uncorrelated(*drawn.T)

    def test_indices_are_uniform_the_last_included(self):
        for count in (1, 2, 7):
            drawn = _each(lambda seed, count=count: seeds.index_below(count, seed), _pairs())
            distributions.assert_counts(
                np.bincount(drawn, minlength=count), np.full(count, _COUNT / count)
            )

    def test_the_same_to_the_last_bit_under_xla(self):
        def draws(seed):
            return (
                seeds.split(seed, 5),
                seeds.uniform(seed, [8]),
                seeds.uniform(seed, [8], tf.constant(0.1), tf.constant(2.0)),
                seeds.index_below(1000, seed),
            )

        for plain, compiled in zip(
            _each(draws, _pairs()), _each(draws, _pairs(), jit_compile=True), strict=True
        ):
            self.assertAllEqual(plain, compiled)

    def test_never_change(self):
        key = tf.constant(4342872533824467489, tf.int64)
        found = seeds.example_seeds(3, example_key=key, epoch=2, count=2)
        mapped = tf.data.Dataset.from_tensors(key).map(
            lambda key: seeds.example_seeds(3, example_key=key, epoch=2, count=2)
        )
        self.assertAllEqual(found, next(iter(mapped)))
        self.assertAllEqual(found, [[1771619683, 1272824972], [-1971661798, 1547131785]])

    def test_epochs_differ(self):
        found = [seeds.epoch_seeds(0, epoch=epoch, count=2).numpy() for epoch in range(100)]
        self.assertLen(np.unique(np.reshape(found, [-1, 2]), axis=0), 200)


if __name__ == "__main__":
    tf.test.main()
