# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Action detection on given person boxes: AVA and data like it (section 4.2)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from official_cvrl import ava_files, detection_metrics, optimizers, outputs, workers
from official_cvrl.data import feed as feed_lib
from official_cvrl.objectives import weight_decay
from official_cvrl.tasks import detector, views

_PREDICTIONS = "Detection.predictions"


class Detection:
    """The task that trains all layers to say what the person in each box does.

    Args:
        strategy: the strategy in whose scope this is made.
        feed: makes the batches, see `data.detection`.
        backbone: makes the backbone.
        action_head: makes the head, given `num_classes`.
        optimizer: makes the optimizer.
        decay: weight decay of all kernels.
        tested_classes: indices of the classes that count in the test; empty for all.
        predictions: csv file that each evaluation writes as AVA's evaluator reads it; "" for none.
            Of several workers the chief writes it.

    Raises:
        UserError: the data have no labels.
        ValueError: a negative decay, or a tested class that is none.
    """

    num_tested = 0  # It measures no share of videos.

    def __init__(
        self,
        *,
        strategy: tf.distribute.Strategy,
        feed: feed_lib.Feed,
        backbone: Callable[[], tf.keras.Model],
        action_head: Callable[..., tf.keras.layers.Layer],
        optimizer: Callable[[], Any],
        decay: float = 0.0,
        tested_classes: Sequence[int] = (),
        predictions: str = "",
    ):
        if decay < 0:
            raise ValueError(f"{decay=} must not be negative.")
        _check_classes(tested_classes, feed.num_classes)
        self._strategy, self._feed, self._decay = strategy, feed, decay
        self.clips_per_step = feed.global_batch_size
        self.backbone, self.action_head = backbone(), action_head(num_classes=feed.num_classes)
        self.action_head.build([None, self.backbone.embedding_dim])
        self.optimizer = optimizers.prepare(optimizer(), self._trained_variables())
        self._classes = list(tested_classes) or list(range(feed.num_classes))
        self._predictions = predictions
        self._writes_predictions = bool(predictions) and workers.Workers(strategy).this_is_chief
        self._test = views.Collector(
            self._probabilities, inputs=("clips", "canvas_boxes"), strategy=strategy
        )

    def checkpoint_items(self) -> Mapping[str, Any]:
        """Returns what a checkpoint holds."""
        return {
            "backbone": self.backbone,
            "action_head": self.action_head,
            "optimizer": self.optimizer,
        }

    def train_dataset(self, *, start_step: int):
        """Returns the distributed batches from a step on."""
        return self._feed.batches("train", start_step=start_step)

    def train_step(self, batch: Mapping[str, tf.Tensor]) -> Mapping[str, tf.Tensor]:
        """Updates the weights once; see `detection.TrainInput` for the batch.

        Returns:
            Scalars per replica, whose means over the replicas are: `loss` (the sum of the next
            two), `detection_loss`, the mean over all boxes and classes of the global batch,
            `regularization_loss`.
        """
        return self._strategy.run(self._replica_step, args=(batch,))

    def _replica_step(self, batch):
        clips, variables = views.to_float(batch["clips"]), self._trained_variables()
        with tf.GradientTape() as tape:
            conv5 = self.backbone(clips, training=True)["conv5"]
            logits = self.action_head(conv5, batch["boxes"], batch["dropout_seeds"])
            detection = _mean_over_boxes(batch["labels"], logits, batch["box_weight"])
            regularization = weight_decay.kernel_l2_loss(variables, self._decay)
            loss = detection + tf.cast(regularization, detection.dtype)
        optimizers.minimize(self.optimizer, tape, loss, variables)
        return {
            "loss": loss,
            "detection_loss": detection,
            "regularization_loss": regularization,
        }

    def preview(self, batch: Mapping[str, tf.Tensor]) -> Mapping[str, tf.Tensor]:
        """Returns the middle frames of the first clips, with the boxes that count."""
        clips = batch["clips"][:4]
        frames = tf.cast(clips[:, clips.shape[1] // 2], tf.float32)
        boxes = batch["boxes"][:4] * batch["box_weight"][:4, :, tf.newaxis]
        drawn = tf.image.draw_bounding_boxes(frames, boxes, [[255.0, 212.0, 0.0]])
        return {"key_frames": tf.cast(drawn, tf.uint8)}

    def check_evaluation(self) -> None:
        """Refuses what `evaluate` would only find out after training.

        Raises:
            UserError: see `feed.Feed.check_test`; or the predictions cannot be written.
        """
        self._feed.check_test()
        if self._writes_predictions:
            outputs.refuse_unwritable(self._predictions, setting=_PREDICTIONS)

    def evaluate(self, folder: str = "") -> Mapping[str, float]:
        """Returns the frame mAP at an IoU of 0.5, and writes the predictions if asked to.

        Args:
            folder: not used.

        Raises:
            UserError: the predictions cannot be written.
        """
        del folder
        test = self._test.collect(self._feed.batches("test"), label="test")
        groundtruth = _tested(test, test["is_truth"], test["labels"], test["labels"] > 0)
        detections = _tested(
            test, test["is_tested"], test["outputs"], np.ones_like(test["outputs"], bool)
        )
        if self._writes_predictions:
            ids = range(1, self._feed.num_classes + 1)
            ava_files.write_detections(
                self._predictions,
                detections,
                key_times=list(map(_key_time, test["example_id"])),
                label_ids=ids,
                setting=_PREDICTIONS,
            )
        results = detection_metrics.average_precisions(
            self._counted(groundtruth),
            self._counted(detections),
            num_classes=self._feed.num_classes,
        )
        return {} if np.isnan(results.mean) else {"frame_map": results.mean}

    def _counted(self, boxes):
        return boxes.take(np.isin(boxes.labels, self._classes))

    def _trained_variables(self):
        return self.backbone.trainable_variables + self.action_head.trainable_variables

    def _probabilities(self, clips, boxes):
        return detector.probabilities(self.backbone, self.action_head, clips, boxes)


def _mean_over_boxes(labels, logits, box_weight):
    """Sigmoid cross-entropy; its mean over the replicas is that over the boxes of all of them."""
    losses = tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(labels, logits.dtype), logits)
    weight = tf.cast(box_weight, logits.dtype)
    context = tf.distribute.get_replica_context()
    # Replicas hold unlike numbers of boxes, and the mean of their means would weigh them unlike.
    count = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.reduce_sum(weight))
    total = tf.reduce_sum(tf.reduce_mean(losses, axis=-1) * weight)
    return total * context.num_replicas_in_sync / tf.maximum(count, 1.0)


def _tested(test, box_mask, scores, label_mask):
    """Returns a box for each label that is said of it; frames are rows of the test."""
    frames, rows, labels = np.nonzero(label_mask & (box_mask > 0)[..., np.newaxis])
    return detection_metrics.Boxes(
        frames, test["boxes"][frames, rows], labels, scores[frames, rows, labels]
    )


def _key_time(name):
    """Splits "FILM@902"; an example of another name is a film of its own."""
    film, _, seconds = name.rpartition("@")
    try:
        return ava_files.key_time(film, seconds)
    except ValueError:
        return name, 0.0


def _check_classes(classes, num_classes):
    unknown = [index for index in classes if not 0 <= index < num_classes]
    if unknown:
        raise ValueError(f"tested_classes holds {unknown[0]}, but there are {num_classes} classes.")
