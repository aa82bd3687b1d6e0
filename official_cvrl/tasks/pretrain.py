# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Pre-training: two views of each video, attracted; all other clips repelled (section 3)."""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from official_cvrl import errors, optimizers
from official_cvrl.data import augment, photometric
from official_cvrl.data import feed as feed_lib
from official_cvrl.objectives import grad_cache, info_nce, weight_decay
from official_cvrl.tasks import views


class Pretraining:
    """The task whose step moves backbone and projection head down the contrastive loss.

    Args:
        strategy: the strategy in whose scope this is made.
        feed: makes the batches.
        backbone: makes the backbone.
        projection_head: makes the projection head.
        optimizer: makes the optimizer.
        augmentation: what the views look like; its photometric part runs here.
        temperature: of the loss.
        symmetric: whether both directions count in the loss.
        decay: weight decay of all kernels (1e-6 in the paper's runs).
        chunk_size: videos of one replica that a step puts through the model at once, for less
            memory and a second pass; see `grad_cache.GradCache`. None: all of them, in one pass.
        max_clips_per_pass: clips that the kNN probe puts through the backbone at once.

    Raises:
        UserError: chunk_size does not divide a replica's part of the batch.
        ValueError: a temperature or chunk_size that is not positive, or a negative decay.
    """

    def __init__(
        self,
        *,
        strategy: tf.distribute.Strategy,
        feed: feed_lib.Feed,
        backbone: Callable[[], tf.keras.Model],
        projection_head: Callable[[], tf.keras.layers.Layer],
        optimizer: Callable[[], Any],
        augmentation: augment.Augmentation,
        temperature: float = 0.1,
        symmetric: bool = True,
        decay: float = 1e-6,
        chunk_size: int | None = None,
        max_clips_per_pass: int = 64,
    ):
        if temperature <= 0 or decay < 0:
            raise ValueError(f"{temperature=} must be positive and {decay=} not negative.")
        _check_chunk_size(chunk_size, feed.global_batch_size, strategy.num_replicas_in_sync)
        self._strategy, self._feed = strategy, feed
        self.clips_per_step = 2 * feed.global_batch_size
        self.backbone, self.projection_head = backbone(), projection_head()
        self.projection_head.build([None, self.backbone.embedding_dim])
        self.optimizer = optimizers.prepare(optimizer(), self._trained_variables())
        self._augmentation = augmentation
        self._temperature, self._symmetric, self._decay = temperature, symmetric, decay
        self._chunk_size = chunk_size
        self._probe = views.KnnProbe(
            self.backbone, feed, strategy=strategy, max_clips_per_pass=max_clips_per_pass
        )

    @property
    def num_tested(self) -> int:
        """Number of videos of which the last evaluation tells a share; 0 if of none."""
        return self._probe.num_tested

    def checkpoint_items(self) -> Mapping[str, Any]:
        """Returns what a checkpoint holds; evaluation tasks read `backbone` from it."""
        return {
            "backbone": self.backbone,
            "projection_head": self.projection_head,
            "optimizer": self.optimizer,
        }

    def train_dataset(self, *, start_step: int):
        """Returns the distributed two-view batches from a step on."""
        return self._feed.batches("train", start_step=start_step)

    def train_step(self, batch: Mapping[str, tf.Tensor]) -> Mapping[str, tf.Tensor]:
        """Updates the weights once; see `pipeline.two_view_batches` for the batch.

        Returns:
            Scalars per replica, means over it: `loss` (the sum of the next two),
            `contrastive_loss`, `regularization_loss`, `accuracy`, `entropy` (Figure 5).
        """
        if self._chunk_size is None:
            return self._strategy.run(self._replica_step, args=(batch,))
        head = self.projection_head
        cache = grad_cache.GradCache(
            strategy=self._strategy,
            chunk_size=self._chunk_size,
            project=self._project,
            projection=tf.TensorSpec([head.output_dim], head.variable_dtype),
            objective=self._objective,
            optimizer=self.optimizer,
            variables=self._trained_variables(),
        )
        return cache.minimize(batch)

    def _replica_step(self, batch):
        with tf.GradientTape() as tape:
            outputs = self._objective(*self._project(batch))
        optimizers.minimize(self.optimizer, tape, outputs["loss"], self._trained_variables())
        return outputs

    def _project(self, batch):
        """Projections of the first and of the second views, each [batch, dim]."""
        embeddings = self.backbone(self._augmented(batch), training=True)["embedding"]
        projections_a, projections_b = tf.split(self.projection_head(embeddings, training=True), 2)
        return projections_a, projections_b

    def _objective(self, projections_a, projections_b):
        """What `train_step` returns, of one replica."""
        contrast = info_nce.info_nce_loss(
            projections_a,
            projections_b,
            temperature=self._temperature,
            symmetric=self._symmetric,
        )
        regularization = weight_decay.kernel_l2_loss(self._trained_variables(), self._decay)
        return {
            "loss": contrast.loss + tf.cast(regularization, contrast.loss.dtype),
            "contrastive_loss": contrast.loss,
            "regularization_loss": regularization,
            "accuracy": contrast.accuracy,
            "entropy": contrast.entropy,
        }

    def preview(self, batch: Mapping[str, tf.Tensor]) -> Mapping[str, tf.Tensor]:
        """Returns the first pairs of views as film strips, view 1 above view 2."""
        # As many as in a step, because another shape would be compiled anew.
        chunk = {name: rows[: self._chunk_size] for name, rows in batch.items()}
        views_of_four = [clips[:4] for clips in tf.split(self._augmented(chunk), 2)]
        strips = [tf.concat(tf.unstack(clips, axis=1), axis=2) for clips in views_of_four]
        pairs = tf.concat(strips, axis=1)
        return {"view_pairs": tf.cast(tf.round(pairs * 255.0), tf.uint8)}

    def check_evaluation(self) -> None:
        """Does nothing: a probe that cannot be run is left out, see `evaluate`."""

    def evaluate(self, folder: str = "") -> Mapping[str, float]:
        """Returns the kNN probe's accuracy; empty where the data cannot tell it.

        Args:
            folder: not used.
        """
        del folder
        reason = self._feed.why_no_probe()
        if reason:
            print(f"No kNN probe: {reason}.", flush=True)
            return {}
        return self._probe.top1()

    def _trained_variables(self):
        return self.backbone.trainable_variables + self.projection_head.trainable_variables

    def _augmented(self, batch):
        """All first views, then all second views: float32 [2 * batch, num_frames, h, w, 3]."""
        return tf.concat(
            [
                photometric.photometric(
                    batch["views"][:, view],
                    batch["seeds"][:, view],
                    view=view,
                    augmentation=self._augmentation,
                )
                for view in (0, 1)
            ],
            axis=0,
        )


def _check_chunk_size(chunk_size, global_batch_size, num_replicas):
    if chunk_size is None:
        return
    if chunk_size < 1:
        raise ValueError(f"{chunk_size=} must be positive, or None for no chunks.")
    per_replica_batch_size = global_batch_size // num_replicas
    if per_replica_batch_size % chunk_size:
        raise errors.UserError(
            f"{chunk_size=} does not divide the {per_replica_batch_size} videos of a replica "
            f"({global_batch_size=}, replicas: {num_replicas}); take a divisor."
        )
