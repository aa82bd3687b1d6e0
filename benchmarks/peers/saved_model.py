# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A SavedModel in plain TensorFlow: how long it takes to load and to answer, in what memory."""

import time
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from benchmarks import turns


def make(settings: Mapping) -> Callable[[], Mapping]:
    """Loads a version; returns what measures its answers, once.

    Args:
        settings: `saved_model`, a version's folder; `frames`, [num_frames, height, width] of a
            clip; `batches`, how many clips in a request; `seconds` to ask for with each of them.
    """
    start = time.perf_counter()
    embed = tf.saved_model.load(settings["saved_model"]).signatures["serving_default"]
    loaded = {"load_seconds": time.perf_counter() - start, "loaded_mb": turns.memory("VmRSS")}
    clips = _clips(max(settings["batches"]), settings["frames"])

    def measure():
        found = dict(loaded)
        for batch in settings["batches"]:
            request = tf.constant(clips[:batch])
            found[f"first_{batch}"], found["embedding"] = _ask(embed, request)
            latencies = found[f"latencies_{batch}"] = []
            while sum(latencies) < settings["seconds"]:
                latencies.append(_ask(embed, request)[0])
        return found | {"peak_mb": turns.memory("VmHWM")}

    return measure


def _ask(embed, request):
    """Seconds that a request took, and the embedding of its first clip."""
    start = time.perf_counter()
    embeddings = embed(clips=request)["embedding"].numpy()
    return time.perf_counter() - start, embeddings[0].tolist()


def _clips(count, frames):
    """Smooth random pictures, uint8 [count, *frames, 3]."""
    num_frames, height, width = frames
    coarse = np.random.default_rng(0).uniform(0, 255, [count * num_frames, 12, 16, 3])
    pictures = tf.clip_by_value(tf.image.resize(coarse, [height, width], "bicubic"), 0.0, 255.0)
    return tf.cast(pictures, tf.uint8).numpy().reshape([count, *frames, 3])


if __name__ == "__main__":
    turns.serve(make)
