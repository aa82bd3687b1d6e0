# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What persons in boxes do: a logit for each class (section 4.2, action detection)."""

import tensorflow as tf

from official_cvrl.data import seeds
from official_cvrl.modeling import roi_align


@tf.keras.utils.register_keras_serializable(package="official_cvrl")
class ActionHead(tf.keras.layers.Layer):
    """RoIAlign on each frame, mean over time, max over space, dropout, one dense layer."""

    def __init__(self, num_classes, *, roi_size=7, dropout_rate=0.5, **kwargs):
        """Creates the head.

        Its kernel is drawn from a normal distribution of deviation 0.01, its bias is zero.

        Args:
            num_classes: Number of classes, each its own yes or no.
            roi_size: Rows and columns of the grid over a box.
            dropout_rate: Share of a box's features dropped in training, in [0, 1).
            **kwargs: Arguments of `tf.keras.layers.Layer`.

        Raises:
            ValueError: If a number is not positive or `dropout_rate` out of range.
        """
        super().__init__(**kwargs)
        for name, value in (("num_classes", num_classes), ("roi_size", roi_size)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if not 0 <= dropout_rate < 1:
            raise ValueError(f"dropout_rate must be in [0, 1), got {dropout_rate}")
        self.num_classes = num_classes
        self.roi_size = roi_size
        self.dropout_rate = dropout_rate
        self.output_layer = tf.keras.layers.Dense(
            num_classes,
            kernel_initializer=tf.keras.initializers.RandomNormal(stddev=0.01),
            dtype=self.dtype_policy,
            name="logits",
        )

    def build(self, input_shape):
        """Creates the variables for features of `input_shape[-1]` channels."""
        with tf.name_scope(self.output_layer.name):
            self.output_layer.build([None, input_shape[-1]])
        super().build(input_shape)

    def call(self, features, boxes, dropout_seeds=None):
        """Classifies what is in the boxes.

        Args:
            features: [batch, num_frames, height, width, channels], conv5 of a backbone.
            boxes: float32 [batch, num_boxes, 4] in [0, 1], the same for all frames of a clip.
            dropout_seeds: int32 [batch, 2] in training, where the same seed drops the same entries
                of a clip's boxes; None drops nothing.

        Returns:
            Logits, [batch, num_boxes, num_classes], float32 (float64 under the policy of that
            name). Rows of padding have logits, too.
        """
        # A box is the same in all frames and RoIAlign is linear: the mean over time of what each
        # frame holds is what the mean frame holds, at the price of one frame.
        mean_frame = tf.reduce_mean(tf.cast(features, self.variable_dtype), axis=1)
        boxes = tf.cast(boxes, self.variable_dtype)
        inside = roi_align.roi_align(mean_frame, boxes, output_size=self.roi_size)
        persons = tf.reduce_max(inside, axis=[2, 3])
        if dropout_seeds is not None:
            persons *= self._kept(dropout_seeds, persons)
        return tf.cast(self.output_layer(persons), self.variable_dtype)

    def _kept(self, dropout_seeds, persons):
        """Zero for what is dropped, and for the rest what keeps the mean."""
        # By clip, so that a resumed run, and any number of replicas, drop the same.
        drawn = [seeds.uniform(seed, tf.shape(persons)[1:]) for seed in tf.unstack(dropout_seeds)]
        return tf.cast(tf.stack(drawn) >= self.dropout_rate, persons.dtype) / (
            1 - self.dropout_rate
        )

    def get_config(self):
        """Returns what the constructor needs to make this layer again."""
        return super().get_config() | {
            "num_classes": self.num_classes,
            "roi_size": self.roi_size,
            "dropout_rate": self.dropout_rate,
        }
