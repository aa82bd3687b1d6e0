# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What stands on the embedding: the projection head and the linear classifier."""

import tensorflow as tf

from official_cvrl.modeling import normalization


def _build_layer(layer, dim):
    with tf.name_scope(layer.name):
        layer.build([None, dim])


@tf.keras.utils.register_keras_serializable(package="official_cvrl")
class ProjectionHead(tf.keras.layers.Layer):
    """Hidden dense layers with batch norm and ReLU, then a dense layer (section 3.1)."""

    def __init__(
        self,
        num_hidden_layers=3,
        hidden_dim=2048,
        output_dim=128,
        *,
        norm_momentum=0.997,
        norm_epsilon=1e-5,
        synchronized=True,
        **kwargs,
    ):
        """Creates the head.

        Dense kernels start from Glorot's uniform distribution, biases from zero, as published.

        Args:
            num_hidden_layers: How many hidden layers; 0 leaves the last dense layer alone.
            hidden_dim: Width of the hidden layers.
            output_dim: Length of a projection.
            norm_momentum: Momentum of the batch norms' moving statistics.
            norm_epsilon: ε of the batch norms.
            synchronized: Whether batch norms share statistics between replicas.
            **kwargs: Arguments of `tf.keras.layers.Layer`.

        Raises:
            ValueError: If a number of layers is negative or a width is not positive.
        """
        super().__init__(**kwargs)
        if num_hidden_layers < 0:
            raise ValueError(f"num_hidden_layers must be at least 0, got {num_hidden_layers}")
        for name, dim in (("hidden_dim", hidden_dim), ("output_dim", output_dim)):
            if dim < 1:
                raise ValueError(f"{name} must be at least 1, got {dim}")
        self.num_hidden_layers = num_hidden_layers
        self.hidden_dim = hidden_dim
        self.output_dim = output_dim
        self.norm_momentum = norm_momentum
        self.norm_epsilon = norm_epsilon
        self.synchronized = synchronized
        indices = range(1, num_hidden_layers + 1)
        self.hidden_layers = [
            tf.keras.layers.Dense(hidden_dim, dtype=self.dtype_policy, name=f"hidden{index}")
            for index in indices
        ]
        self.norms = [self._make_norm(f"hidden{index}_norm") for index in indices]
        self.output_layer = tf.keras.layers.Dense(
            output_dim, dtype=self.dtype_policy, name="projection"
        )

    def _make_norm(self, name):
        return normalization.BatchNormalization(
            momentum=self.norm_momentum,
            epsilon=self.norm_epsilon,
            synchronized=self.synchronized,
            dtype=self.dtype_policy,
            name=name,
        )

    def build(self, input_shape):
        """Creates the variables for embeddings of `input_shape[-1]` entries."""
        dim = input_shape[-1]
        for layer, norm in zip(self.hidden_layers, self.norms, strict=True):
            _build_layer(layer, dim)
            dim = self.hidden_dim
            _build_layer(norm, dim)
        _build_layer(self.output_layer, dim)
        super().build(input_shape)

    def call(self, embeddings, training=False):
        """Projects.

        Args:
            embeddings: [batch, dim], floating point.
            training: Whether batch norms use, and learn from, the batch's statistics.

        Returns:
            Projections, not normalised, [batch, output_dim], float32 (float64 under the policy
            of that name).
        """
        outputs = embeddings
        for layer, norm in zip(self.hidden_layers, self.norms, strict=True):
            outputs = tf.nn.relu(norm(layer(outputs), training=training))
        return tf.cast(self.output_layer(outputs), self.variable_dtype)

    def get_config(self):
        """Returns what the constructor needs to make this layer again."""
        return super().get_config() | {
            "num_hidden_layers": self.num_hidden_layers,
            "hidden_dim": self.hidden_dim,
            "output_dim": self.output_dim,
            "norm_momentum": self.norm_momentum,
            "norm_epsilon": self.norm_epsilon,
            "synchronized": self.synchronized,
        }


@tf.keras.utils.register_keras_serializable(package="official_cvrl")
class LinearClassifier(tf.keras.layers.Layer):
    """One dense layer from the embedding to class logits (section 4)."""

    def __init__(self, num_classes, *, normalize_embedding=True, dropout_rate=0.0, **kwargs):
        """Creates the classifier.

        Its kernel starts from Glorot's uniform distribution, its bias from zero, as in the
        published linear evaluation.

        Args:
            num_classes: Number of classes.
            normalize_embedding: Whether embeddings are divided by their ℓ2 norm first, as in
                linear evaluation; supervised training does not.
            dropout_rate: Share of the embedding's entries dropped in training, in [0, 1).
            **kwargs: Arguments of `tf.keras.layers.Layer`.

        Raises:
            ValueError: If `num_classes` is not positive or `dropout_rate` out of range.
        """
        super().__init__(**kwargs)
        if num_classes < 1:
            raise ValueError(f"num_classes must be at least 1, got {num_classes}")
        if not 0 <= dropout_rate < 1:
            raise ValueError(f"dropout_rate must be in [0, 1), got {dropout_rate}")
        self.num_classes = num_classes
        self.normalize_embedding = normalize_embedding
        self.dropout_rate = dropout_rate
        self.dropout = tf.keras.layers.Dropout(dropout_rate, dtype=self.dtype_policy)
        self.output_layer = tf.keras.layers.Dense(
            num_classes, dtype=self.dtype_policy, name="logits"
        )

    def build(self, input_shape):
        """Creates the variables for embeddings of `input_shape[-1]` entries."""
        _build_layer(self.output_layer, input_shape[-1])
        super().build(input_shape)

    def call(self, embeddings, training=False):
        """Classifies.

        Args:
            embeddings: [batch, dim], floating point.
            training: Whether to drop entries.

        Returns:
            Logits, [batch, num_classes], float32 (float64 under the policy of that name).
        """
        if self.normalize_embedding:
            embeddings = tf.math.l2_normalize(embeddings, axis=-1)
        embeddings = self.dropout(embeddings, training=training)
        return tf.cast(self.output_layer(embeddings), self.variable_dtype)

    def get_config(self):
        """Returns what the constructor needs to make this layer again."""
        return super().get_config() | {
            "num_classes": self.num_classes,
            "normalize_embedding": self.normalize_embedding,
            "dropout_rate": self.dropout_rate,
        }
