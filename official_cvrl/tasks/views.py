# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Runs a model over test views: every video once, on any strategy, its views averaged."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from official_cvrl import metrics, progress
from official_cvrl.data import example_ids
from official_cvrl.data import feed as feed_lib


def to_float(clips: tf.Tensor) -> tf.Tensor:
    """Returns uint8 clips as float32 in [0, 1]."""
    return tf.cast(clips, tf.float32) / 255.0


def mean_over_views(
    function: Callable[[tf.Tensor], tf.Tensor], views: tf.Tensor, *, max_clips_per_pass: int
) -> tf.Tensor:
    """Applies a function to every view and averages what it gives per video.

    Args:
        function: of clips, float32 [clips, num_frames, height, width, 3] in [0, 1], to
            [clips, dim].
        views: uint8 [batch, num_test_views, num_frames, height, width, 3], static shape.
        max_clips_per_pass: bounds the memory: so many clips go through at once.

    Returns:
        [batch, dim].
    """
    batch, num_views = views.shape[:2]
    clips = tf.reshape(views, [batch * num_views, *views.shape[2:]])
    passes = [
        function(to_float(clips[start : start + max_clips_per_pass]))
        for start in range(0, batch * num_views, max_clips_per_pass)
    ]
    outputs = tf.concat(passes, axis=0)
    return tf.reduce_mean(tf.reshape(outputs, [batch, num_views, outputs.shape[-1]]), axis=1)


class Collector:
    """Runs a function of the views over test batches, traced once for all of them.

    Args:
        function: of views, uint8 [batch, num_test_views, …], to outputs [batch, …].
        strategy: spreads the batches over its replicas.
        inputs: the parts of a batch that the function takes; they are not collected.
    """

    def __init__(
        self,
        function: Callable[..., tf.Tensor],
        *,
        strategy: tf.distribute.Strategy,
        inputs: Sequence[str] = ("views",),
    ):
        def per_replica(batch):
            outputs = tf.cast(function(*(batch[name] for name in inputs)), tf.float32)
            others = {name: batch[name] for name in batch if name not in inputs}
            return {"outputs": outputs, **others}

        self._strategy = strategy
        self._step = tf.function(
            lambda batch: strategy.run(per_replica, args=(batch,)), autograph=False
        )

    def collect(
        self, batches: Iterable, *, label: str, total: int | None = None
    ) -> Mapping[str, np.ndarray]:
        """Returns the outputs of all videos, those of other hosts among them.

        Args:
            batches: of {"views", "label", "example_key", "example_id", "weight"}, or others with a
                "weight"; rows of weight 0 are padding.
            label: what the progress line says.
            total: how many videos there are; None if that is not known.

        Returns:
            "outputs" float32 [num_videos, dim], "label" int64 [num_videos], "example_key" int64
            [num_videos], "example_id" object [num_videos], texts; in the order of the batches.
        """
        shown = progress.Progress(label=label, unit="videos", total=total)
        parts, done = [], 0
        for batch in batches:
            part = self._rows_of_all_replicas(self._step(batch))
            kept = part.pop("weight") > 0
            parts.append({name: values[kept] for name, values in part.items()})
            done += int(kept.sum())
            shown.update(done)
        shown.close()
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _rows_of_all_replicas(self, outputs):
        rows = {name: self._strategy.gather(r, axis=0).numpy() for name, r in outputs.items()}
        if "example_id" in rows:  # As numbers they would fill the memory.
            rows["example_id"] = np.array([*map(example_ids.to_text, rows["example_id"])], object)
        return rows


def embedding_collector(
    backbone: tf.keras.Model, *, strategy: tf.distribute.Strategy, max_clips_per_pass: int
) -> Collector:
    """Returns a collector of embeddings, the mean over a video's views."""

    def embedding(clips):
        return backbone(clips, training=False)["embedding"]

    return Collector(
        lambda views: mean_over_views(embedding, views, max_clips_per_pass=max_clips_per_pass),
        strategy=strategy,
    )


class KnnProbe:
    """Classifies test videos by their nearest training embeddings, without any training.

    Args:
        backbone: makes the embeddings.
        feed: makes the batches of the roles "probe_train" and "probe_test".
        strategy: spreads the batches over its replicas.
        max_clips_per_pass: see `mean_over_views`.

    Attributes:
        num_tested: how many test videos `top1` told a share of; 0 if of none.
    """

    def __init__(
        self,
        backbone: tf.keras.Model,
        feed: feed_lib.Feed,
        *,
        strategy: tf.distribute.Strategy,
        max_clips_per_pass: int,
    ):
        self._feed, self.num_tested = feed, 0
        self._collector = embedding_collector(
            backbone, strategy=strategy, max_clips_per_pass=max_clips_per_pass
        )

    def top1(self) -> Mapping[str, float]:
        """Returns {"knn_top1": share that is right}; empty if a split has no labelled video.

        Videos without a label are left out; how many is said.
        """
        train, test = self._labelled("train"), self._labelled("test")
        self.num_tested = len(test["label"]) if len(train["label"]) else 0
        if not self.num_tested:
            return {}
        predictions = metrics.knn_predictions(train["outputs"], train["label"], test["outputs"])
        return {"knn_top1": float(np.mean(predictions == test["label"]))}

    def _labelled(self, part):
        found = self._collector.collect(self._feed.batches(f"probe_{part}"), label=f"embed {part}")
        kept = found["label"] >= 0
        if not kept.all():
            print(
                f"kNN probe: {(~kept).sum():,} of {len(kept):,} {part} videos have no label and "
                "are left out.",
                flush=True,
            )
        return {name: values[kept] for name, values in found.items()}
