# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A model that is exported in no time: the mean colour of a clip; it fails on wide videos."""

import os
import pathlib

import tensorflow as tf

from official_cvrl.data import clip_format
from official_cvrl.serving import samples, warmup
from tests.report import conftest as runs

_TOO_WIDE = 30


class MeanColour(tf.Module):
    """Has the signatures that extraction asks."""

    @tf.function(input_signature=[tf.TensorSpec([None, 4, None, None, 3], tf.uint8, name="clips")])
    def clips(self, clips):
        with tf.control_dependencies([tf.debugging.assert_less(tf.shape(clips)[3], _TOO_WIDE)]):
            return {"embedding": tf.reduce_mean(tf.cast(clips, tf.float32), [1, 2, 3]) / 255.0}

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.string, name="frames")])
    def encoded_frames(self, frames):
        decoded = tf.map_fn(
            lambda clip: tf.stack([tf.io.decode_jpeg(f, channels=3) for f in tf.unstack(clip)]),
            frames,
            fn_output_signature=tf.TensorSpec([4, None, None, 3], tf.uint8),
        )
        embedding = self.clips(decoded)["embedding"]
        normalized = tf.math.l2_normalize(embedding, axis=1)
        stride = tf.fill(tf.shape(frames)[:1], runs.CLIP.temporal_stride)
        return {
            "embedding": embedding,
            "embedding_normalized": normalized,
            "temporal_stride": stride,
        }


def write(folder: pathlib.Path, *, version: int = 1) -> str:
    """Saves it as a version in a folder, as `export` would; returns the folder of versions."""
    module, saved = MeanColour(), str(folder / str(version))
    signatures = {"serving_default": module.clips, "encoded_frames": module.encoded_frames}
    tf.saved_model.save(module, saved, signatures=signatures)
    requests = samples.requests(runs.CLIP)
    requests = {name: requests[name] for name in signatures}
    warmup.write(saved, requests, model_name="cvrl")
    with open(os.path.join(saved, clip_format.SERVED_FILE), "w", encoding="utf-8") as file:
        file.write(runs.CLIP.to_json())
    return str(folder)
