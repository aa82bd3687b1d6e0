# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Embeddings of videos by a run's evaluation, its SavedModel and a server: how equal they are.

    python -m benchmarks.serving_equality --model_dir=RUN --videos=MY_VIDEOS --output=DIR

Converts the videos, exports the run's newest checkpoint, serves it by the tests' server, and prints
a table: the largest difference from evaluation over the largest value, of all videos. --server adds
what another server says that serves DIR/saved_model. The table of docs/serving.md.
"""

import dataclasses
import functools
import os
import tempfile

import official_cvrl  # noqa: F401  isort: skip  (selects legacy Keras before TensorFlow is imported)
import numpy as np
import tensorflow as tf
from absl import app, flags, logging

from benchmarks import outcome, studies
from official_cvrl import commands, manifest, records, run_info
from official_cvrl.data import pipeline, sampling
from official_cvrl.serving import export
from official_cvrl.tasks import views
from tests.serving.model_server import process

_MODEL_DIR = flags.DEFINE_string("model_dir", None, "Folder of a training run.", required=True)
_VIDEOS = flags.DEFINE_string("videos", None, "Folder of videos.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "Folder for records and more.", required=True)
_SERVERS = flags.DEFINE_multi_string("server", [], "As extraction takes it: grpc://HOST:PORT, …")

_SPLIT = "test"
_MIDDLE, _DENSE, _MULTI_VIEW = (1, 1), (10, 1), (10, 3)  # Clips and crops.
_MAX_CLIPS_PER_PASS = 4
_TOLERANCE = 1e-5


def main(unused_argv):
    """Converts, exports, embeds and prints the table."""
    logging.set_verbosity(logging.ERROR)
    tf.get_logger().setLevel("ERROR")
    folder, served = (os.path.join(_OUTPUT.value, name) for name in ("records", "saved_model"))
    studies.run(
        *("-m", "tfrecords_tools.convert", "--dataset=folder", "--unlabelled"),
        *(f"--split={_SPLIT}", f"--videos={_VIDEOS.value}", f"--output={folder}"),
    )
    version = export.export(_MODEL_DIR.value, served)
    shards = manifest.find_shards(folder, _SPLIT)
    expected = _Evaluation(_MODEL_DIR.value, shards)
    found = {
        (way, f"{num_clips} × {num_crops}"): _difference(
            embeddings, expected.embeddings(num_clips, num_crops)
        )
        for way, (num_clips, num_crops), embeddings in _ways(version, shards, expected.clip)
    }
    rows = [(*way, f"{difference:.1e}") for way, difference in found.items()]
    table = outcome.table(["way", "clips × crops", "largest relative difference"], rows)
    goals = [outcome.Goal("largest of all", max(found.values()), _TOLERANCE, at_least=False)]
    outcome.write(
        _OUTPUT.value, "serving_equality", tables=[table], goals=goals, raw={"rows": rows}
    )


def _difference(embeddings, evaluated):
    return float(np.abs(embeddings - evaluated).max() / np.abs(evaluated).max())


class _Evaluation:
    """A run's backbone over test views, as in training."""

    def __init__(self, model_dir, shards):
        info = run_info.read_trained(model_dir)
        self.clip, self._shards = info.clip, shards
        backbone, _ = run_info.load_backbone(model_dir, info)
        self._collector = views.embedding_collector(
            backbone,
            strategy=tf.distribute.get_strategy(),
            max_clips_per_pass=_MAX_CLIPS_PER_PASS,
        )

    @functools.cache  # noqa: B019  (one object, alive as long as the process)
    def embeddings(self, num_test_clips, num_test_crops):
        """Returns float32 [num_videos, dim], in the order of the records."""
        batches = pipeline.test_batches(
            self._shards,
            num_test_clips=num_test_clips,
            num_test_crops=num_test_crops,
            global_batch_size=1,
            **dataclasses.asdict(self.clip),
        )
        return self._collector.collect(batches, label="evaluation")["outputs"]


def _ways(version, shards, clip):
    """Yields (way, clips and crops, embeddings in the order of the records)."""
    serialized = list(tf.data.TFRecordDataset(list(shards.paths)).as_numpy_iterator())
    videos = [records.decode_example(record) for record in serialized]
    model = tf.saved_model.load(version)

    def answers(signature, requests):
        embed = model.signatures[signature]
        return np.concatenate([embed(**request)["embedding"] for request in requests])

    clips = [_middle_clip(video.frames, clip) for video in videos]
    pixels = [[tf.io.decode_jpeg(frame, channels=3) for frame in frames] for frames in clips]
    examples = [{"examples": tf.constant([record])} for record in serialized]
    for signature, test_views, requests in (
        ("serving_default", _MIDDLE, [{"clips": tf.stack([frames])} for frames in pixels]),
        ("encoded_frames", _MIDDLE, [{"frames": tf.constant([frames])} for frames in clips]),
        ("sequence_examples", _MIDDLE, examples),
        ("multi_view", _MULTI_VIEW, examples),
    ):
        yield f"`{signature}`", test_views, answers(signature, requests)
    paths = [os.path.join(_VIDEOS.value, video.data_path) for video in videos]
    yield "`extract --saved_model`", _DENSE, _extracted(paths, f"--saved_model={version}")
    # Which a server does not tell.
    stride = f"--temporal_stride={clip.temporal_stride}"
    with process.serving(os.path.dirname(version)) as ours:
        servers = {"grpc://…": ours.grpc, "http://…": ours.rest}
        for shown, server in (servers | {given: given for given in _SERVERS.value}).items():
            way = f"`extract --server={shown}`"
            yield way, _DENSE, _extracted(paths, f"--server={server}", stride)


def _middle_clip(frames, clip):
    indices = sampling.dense_clip_frames(
        len(frames),
        num_frames=clip.num_frames,
        temporal_stride=clip.temporal_stride,
        num_test_clips=1,
    )
    return [frames[index] for index in indices[0]]


def _extracted(paths, *where):
    with tempfile.TemporaryDirectory() as folder:
        output = os.path.join(folder, "embeddings.npz")
        videos = [f"--videos={path}" for path in paths]
        studies.run("-m", "official_cvrl.serving.extract", *where, *videos, f"--output={output}")
        with np.load(output) as table:
            rows = dict(zip(table["paths"].tolist(), table["embeddings"], strict=True))
    return np.stack([rows[path] for path in paths])


if __name__ == "__main__":
    app.run(main, flags_parser=commands.parse_flags)
