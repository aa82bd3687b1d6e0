# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Seeds: none twice, and what is drawn with them is independent."""

import numpy as np
import tensorflow as tf

from official_cvrl.data import seeds


def _table(seed, keys, epochs, count=2):
    """Returns the seeds, int32 [keys, epochs, count, 2]."""
    pairs = tf.reshape(tf.stack(tf.meshgrid(keys, epochs, indexing="ij"), axis=-1), [-1, 2])

    dataset = tf.data.Dataset.from_tensor_slices(pairs).map(
        lambda pair: seeds.example_seeds(seed, example_key=pair[0], epoch=pair[1], count=count)
    )
    found = np.array(list(dataset.as_numpy_iterator()))
    return found.reshape([len(keys), len(epochs), count, 2])


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
        draw = tf.function(
            lambda: tf.map_fn(
                lambda seed: tf.random.stateless_uniform([], seed),
                table.reshape(-1, 2),
                fn_output_signature=tf.float32,
            )
        )
        drawn = draw().numpy().reshape(60, 60, 2)
        counts, _ = np.histogram(drawn, bins=10, range=(0, 1))
        self.assertLess(np.sum((counts - 720) ** 2 / 720), 27.9)  # 9 degrees, p = 0.001.
        centred = drawn - 0.5
        for one, other in (
            (centred[1:], centred[:-1]),
            (centred[:, 1:], centred[:, :-1]),
            (centred[..., :1], centred[..., 1:]),
        ):
            self.assertLess(np.abs(np.mean(12 * one * other)), 4 / np.sqrt(one.size))

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
