# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What embeds the videos of shards: a run's backbone, or a SavedModel."""

import abc
import dataclasses
import os
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from official_cvrl import (
    errors,
    filesystems,
    manifest,
    origin,
    progress,
    records,
    run_info,
    runtime,
)
from official_cvrl.data import feed as feed_lib
from official_cvrl.data import sampling
from official_cvrl.probe import table
from official_cvrl.serving import client, local, questions
from official_cvrl.tasks import views

_PIXELS_PER_PASS = 1 << 24  # Of clips that go through the backbone at once.
_CLIPS_PER_PASS = 64
_CLIPS_PER_REQUEST = 8


@dataclasses.dataclass(frozen=True)
class Views:
    """Which clips of a video are embedded; the mean is the video's embedding.

    Attributes:
        num_clips: spread evenly over the video.
        num_crops: of each, along the longer side.
    """

    num_clips: int = 10
    num_crops: int = 1


def run_folder(model_dir: str) -> str:
    """Returns the folder of a run that is named by itself or by one of its checkpoints."""
    is_checkpoint = filesystems.openable_path(f"{model_dir}.index").exists()
    return os.path.dirname(model_dir) if is_checkpoint else model_dir


class _Broken(Exception):  # noqa: N818 - it is told, with the video's place
    """A record cannot be read; the message says why."""


class Model(abc.ABC):
    """Embeds videos.

    Attributes:
        name: where its weights are.
        made_of: what its embeddings depend on, but for the videos, as JSON takes it.
    """

    name: str
    made_of: Mapping[str, object]

    @abc.abstractmethod
    def embed(self, data_dir: str, split: str) -> table.Table:
        """Embeds all videos of a split.

        Raises:
            UserError: records are broken, or of another kind.
        """


class Run(Model):
    """A run's backbone.

    Args:
        model_dir: the run's folder, or one of its checkpoints.
        checkpoint: other weights of the same architecture, see `checkpoints.load_backbone`; "" for
            the run's own.
        chosen_views: which clips.

    Raises:
        UserError: no run there, or the weights do not fit.
    """

    def __init__(self, model_dir: str, *, checkpoint: str = "", chosen_views: Views):
        info = run_info.read_trained(run_folder(model_dir))
        gpus = tf.config.list_logical_devices("GPU")
        chosen = "mirrored" if len(gpus) > 1 else "one_device"
        self._strategy = runtime.Runtime(strategy=chosen).start(seed=0)
        with self._strategy.scope():
            self._backbone, self.name = run_info.load_backbone(checkpoint or model_dir, info)
        pixels = info.clip.num_frames * info.clip.crop_size**2
        clips_at_once = max(1, min(_CLIPS_PER_PASS, _PIXELS_PER_PASS // pixels))
        self._replicas = self._strategy.num_replicas_in_sync
        num_views = chosen_views.num_clips * chosen_views.num_crops
        self._shown = feed_lib.TestInput(
            clip=info.clip,
            num_test_clips=chosen_views.num_clips,
            num_test_crops=chosen_views.num_crops,
            global_batch_size=max(1, clips_at_once // num_views) * self._replicas,
        )
        # One for all splits, so that it is traced once.
        self._collector = views.embedding_collector(
            self._backbone, strategy=self._strategy, max_clips_per_pass=clips_at_once
        )
        self.made_of = {
            "weights": origin.digest(self.name),
            "backbone": dict(info.backbone),
            "clip": dataclasses.asdict(info.clip),
            "views": dataclasses.asdict(chosen_views),
        }

    def embed(self, data_dir: str, split: str) -> table.Table:
        """See the base class."""
        feed = feed_lib.Feed(
            data_dir=data_dir,
            strategy=self._strategy,
            global_batch_size=self._replicas,
            seed=0,
            train_input=None,  # Nothing is trained.
            test_input=self._shown,
            probe_input=None,
            train_split=split,
            test_split=split,
        )
        found = self._collector.collect(
            feed.batches("test"),
            label=f"embed {split}",
            total=manifest.find_shards(data_dir, split).num_examples,
        )
        return table.Table(found["example_id"].astype(str), found["label"], found["outputs"])


class SavedModel(Model):
    """A SavedModel that `serving.export` wrote; it takes the frames of records as they are.

    Args:
        folder: a version, or the folder of versions, of which the newest is taken.
        chosen_views: which clips; of each the middle crop.

    Raises:
        UserError: no SavedModel there, or one without such a signature; more crops than one.
    """

    def __init__(self, folder: str, *, chosen_views: Views):
        if chosen_views.num_crops != 1:
            raise errors.UserError(
                f"--num_crops={chosen_views.num_crops} is for --model_dir; a SavedModel takes the "
                "middle crop of each clip, --num_crops=1."
            )
        self._model, self._num_clips = local.Local(folder), chosen_views.num_clips
        described = self._model.describe(timeout=0)
        if questions.ENCODED not in described.inputs:
            raise errors.UserError(
                f"{described.name} has no signature {questions.ENCODED}; export it anew."
            )
        self.name = described.name
        self.made_of = {
            "saved_model": described.checksum,
            "clip": dataclasses.asdict(self._model.clip),
            "views": dataclasses.asdict(chosen_views),
        }

    def embed(self, data_dir: str, split: str) -> table.Table:
        """See the base class."""
        shards = manifest.find_shards(data_dir, split)
        dataset = tf.data.TFRecordDataset(list(shards.paths), shards.compression)
        bar = progress.Progress(label=f"embed {split}", unit="videos", total=shards.num_examples)
        rows = []
        try:
            for serialized in dataset.as_numpy_iterator():
                rows.append(self._row(serialized, shards.label_names))
                bar.update(len(rows))
        except (tf.errors.OpError, _Broken) as error:
            fault = f"video {len(rows) + 1} of split {split!r} cannot be embedded: {error}"
            raise errors.UserError(f"{data_dir}: {fault}.") from error
        finally:
            bar.close()
        if not rows:
            raise errors.UserError(f"{data_dir}: the shards of split {split!r} are empty.")
        names, labels, embeddings = zip(*rows, strict=True)
        return table.Table(np.array(names), np.array(labels), np.stack(embeddings))

    def _row(self, serialized, label_names):
        """A video's name, first label or -1, and embedding."""
        try:
            example = records.decode_example(serialized)
        except ValueError as error:
            raise _Broken(str(error)) from error
        name, labels = records.name_and_labels(serialized)
        label = labels[0] if labels else -1
        if label < -1 or (label_names and label >= len(label_names)):
            raise _Broken(
                f"{name!r} has the label {label}, and labels.txt names {len(label_names)}"
            )
        try:
            return name, label, self._embedding(example.frames)
        except client.Refused as error:
            raise _Broken(f"{name!r}: {error}") from error

    def _embedding(self, frames):
        clips = sampling.dense_clip_frames(
            len(frames),
            num_frames=self._model.clip.num_frames,
            temporal_stride=self._model.clip.temporal_stride,
            num_test_clips=self._num_clips,
        ).numpy()
        found = [
            self._model.predict(
                questions.ENCODED,
                "frames",
                np.array(frames, object)[part],
                output=questions.OUTPUT,
                timeout=0,
            )
            for part in np.array_split(clips, -(-len(clips) // _CLIPS_PER_REQUEST))
        ]
        return np.concatenate(found).mean(axis=0)
