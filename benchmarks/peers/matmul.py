# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The machine's limit: how fast TensorFlow multiplies large square matrices."""

import time
from collections.abc import Callable, Mapping

import tensorflow as tf

from benchmarks import turns

# Of these the fastest counts: which one that is differs between caches.
_SIZES = (2048, 4096)
_REPEATS = 4


def make(settings: Mapping) -> Callable[[], Mapping[str, float]]:
    """Returns what measures GFLOP/s; settings: `dtype`."""
    multiply = tf.function(tf.matmul)
    matrices = [tf.cast(tf.random.normal([size, size]), settings["dtype"]) for size in _SIZES]
    for matrix in matrices:
        multiply(matrix, matrix)
    return lambda: {"gflops": max(_rate(multiply, matrix) for matrix in matrices)}


def _rate(multiply, matrix):
    seconds = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        multiply(matrix, matrix).numpy()
        seconds.append(time.perf_counter() - start)
    return 2 * matrix.shape[0] ** 3 / min(seconds) / 1e9


if __name__ == "__main__":
    turns.serve(make)
