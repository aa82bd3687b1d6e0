# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Embeddings are made once, and anew where anything is another."""

import os

import numpy as np

from official_cvrl.probe import table
from tests.data import shards


class _Maker:
    """Counts how often it is asked."""

    times = 0

    def __call__(self):
        self.times += 1
        embeddings = np.arange(6, dtype=np.float32).reshape(3, 2) + self.times
        return table.Table(np.array(["a", "ü", "c"]), np.array([0, -1, 1]), embeddings)


def test_made_once_and_anew_for_other_weights_shards_or_after_damage(tmp_path):
    split, make = shards.write(tmp_path, 2, 1), _Maker()

    def kept(**made_of):
        return table.kept(str(tmp_path), split, {"weights": "x"} | made_of, make)

    made, again = kept(), kept()
    assert make.times == 1
    assert again.example_ids.tolist() == ["a", "ü", "c"]
    assert again.labels.tolist() == [0, -1, 1]
    np.testing.assert_array_equal(again.embeddings, made.embeddings)
    kept(weights="y")
    kept(views=[2, 1])
    assert make.times == 3
    os.utime(split.paths[1], ns=(0, 0))  # Converted anew, its time is another.
    kept()
    assert make.times == 4
    for path in tmp_path.glob("embeddings-train-*.npz"):
        path.write_bytes(path.read_bytes()[:100])
    np.testing.assert_array_equal(kept().embeddings, kept().embeddings)
    assert make.times == 5


def test_some_of_the_videos():
    taken = _Maker()().take(np.array([False, True, True]))
    assert (taken.example_ids.tolist(), taken.labels.tolist()) == (["ü", "c"], [-1, 1])
    assert taken.embeddings.shape == (2, 2)
