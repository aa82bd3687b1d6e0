# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Classification: linear evaluation, fine-tuning, semi-supervised, supervised (section 4.1)."""

import os
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from official_cvrl import errors, metrics, optimizers, predictions
from official_cvrl.data import feed as feed_lib
from official_cvrl.objectives import weight_decay
from official_cvrl.tasks import views


class Classification:
    """The task that trains a classifier on embeddings, the backbone frozen or not.

    Args:
        strategy: the strategy in whose scope this is made.
        feed: makes the batches.
        backbone: makes the backbone.
        classifier: makes the classifier, given `num_classes`.
        optimizer: makes the optimizer.
        frozen: True trains the classifier alone, on a backbone in inference mode (linear
            evaluation); False trains all layers.
        decay: weight decay of the trained kernels.
        max_clips_per_pass: clips that testing puts through the backbone at once.

    Raises:
        UserError: the data have no labels.
        ValueError: a negative decay.
    """

    def __init__(
        self,
        *,
        strategy: tf.distribute.Strategy,
        feed: feed_lib.Feed,
        backbone: Callable[[], tf.keras.Model],
        classifier: Callable[..., tf.keras.layers.Layer],
        optimizer: Callable[[], Any],
        frozen: bool,
        decay: float = 0.0,
        max_clips_per_pass: int = 64,
    ):
        if decay < 0:
            raise ValueError(f"{decay=} must not be negative.")
        self._strategy, self._feed = strategy, feed
        self.clips_per_step = feed.global_batch_size
        self.backbone, self.classifier = backbone(), classifier(num_classes=feed.num_classes)
        self.classifier.build([None, self.backbone.embedding_dim])
        self.frozen, self._decay = frozen, decay
        self.optimizer = optimizers.prepare(optimizer(), self._trained_variables())
        self._max_clips_per_pass = max_clips_per_pass
        self.num_tested = 0
        self._test = views.Collector(self._probabilities, strategy=strategy)
        self._probe = views.KnnProbe(
            self.backbone, feed, strategy=strategy, max_clips_per_pass=max_clips_per_pass
        )

    def checkpoint_items(self) -> Mapping[str, Any]:
        """Returns what a checkpoint holds."""
        return {
            "backbone": self.backbone,
            "classifier": self.classifier,
            "optimizer": self.optimizer,
        }

    def train_dataset(self, *, start_step: int):
        """Returns the distributed labelled batches from a step on."""
        return self._feed.batches("train", start_step=start_step)

    def train_step(self, batch: Mapping[str, tf.Tensor]) -> Mapping[str, tf.Tensor]:
        """Updates the weights once; see `pipeline.train_batches` for the batch.

        Returns:
            Scalars per replica, means over it: `loss` (the sum of the next two),
            `classification_loss`, `regularization_loss`, `accuracy`.
        """
        return self._strategy.run(self._replica_step, args=(batch,))

    def _replica_step(self, batch):
        clips = views.to_float(batch["clips"])
        variables = self._trained_variables()
        with tf.GradientTape() as tape:
            embeddings = self.backbone(clips, training=not self.frozen)["embedding"]
            logits = self.classifier(embeddings, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(batch["label"], logits)
            classification = tf.reduce_mean(losses)
            regularization = weight_decay.kernel_l2_loss(variables, self._decay)
            loss = classification + tf.cast(regularization, classification.dtype)
        optimizers.minimize(self.optimizer, tape, loss, variables)
        hits = tf.equal(tf.argmax(logits, axis=1), batch["label"])
        return {
            "loss": loss,
            "classification_loss": classification,
            "regularization_loss": regularization,
            "accuracy": tf.reduce_mean(tf.cast(hits, tf.float32)),
        }

    def preview(self, batch: Mapping[str, tf.Tensor]) -> Mapping[str, tf.Tensor]:
        """Returns the first clips as film strips."""
        return {"clips": tf.concat(tf.unstack(batch["clips"][:4], axis=1), axis=2)}

    def check_evaluation(self) -> None:
        """Refuses what `evaluate` would only find out after training.

        Raises:
            UserError: see `feed.Feed.check_test`.
        """
        self._feed.check_test()

    def evaluate(self, folder: str = "") -> Mapping[str, float]:
        """Returns top-1 and top-5 over test views, and the kNN probe of a frozen backbone.

        Top-5 is left out where there are not more than five classes.

        Test videos without a label count neither as right nor as wrong; how many is said.

        Args:
            folder: where to write what is said of each video, see `predictions.write`; "" to write
                nothing.

        Raises:
            UserError: no test video has a label, or the folder cannot be written.
        """
        test = self._test.collect(self._feed.batches("test"), label="test")
        labelled = test["label"] >= 0
        if not labelled.any():
            raise errors.UserError(
                f"{self._feed.data_dir}: no video of split {self._feed.test_split!r} has a label, "
                "so nothing says what is right. Convert with labels, name another split "
                "(--gin_param=\"run.test_split = 'NAME'\"), or run with --mode=train."
            )
        if folder:
            self._write(folder, test)
        if not labelled.all():
            print(f"{(~labelled).sum()} test videos have no label and are left out.", flush=True)
        self.num_tested = int(labelled.sum())
        probabilities, labels = test["outputs"][labelled], test["label"][labelled]
        # Five of five classes are always right.
        ks = [1, 5] if probabilities.shape[1] > 5 else [1]
        results = {f"top{k}": metrics.top_k_accuracy(probabilities, labels, k=k) for k in ks}
        if self.frozen and not self._feed.why_no_probe():
            results |= self._probe.top1()
        return results

    def _write(self, folder, test):
        columns = test["example_id"], test["label"], test["outputs"]
        found = predictions.Predictions(*columns, self._feed.label_names)
        first, *others = predictions.write(folder, found)
        names = " and ".join(map(os.path.basename, others))
        print(f"Predictions: {first}; {names} beside it.", flush=True)

    def _trained_variables(self):
        if self.frozen:
            return self.classifier.trainable_variables
        return self.backbone.trainable_variables + self.classifier.trainable_variables

    def _probabilities(self, test_views):
        def probabilities(clips):
            embeddings = self.backbone(clips, training=False)["embedding"]
            return tf.nn.softmax(self.classifier(embeddings, training=False))

        return views.mean_over_views(
            probabilities, test_views, max_clips_per_pass=self._max_clips_per_pass
        )
