# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Batch normalisation whose batch can span every replica."""

import contextlib
import functools
import threading

import tensorflow as tf

from official_cvrl.modeling import fused_norm


class _Here(threading.local):
    # A mirrored strategy runs each replica's function in a thread of its own.
    moving_statistics_kept = False


_here = _Here()


@contextlib.contextmanager
def moving_statistics_kept():
    """Within it batch norms in training use the batch's statistics, but do not learn from them.

    For a batch that goes through the model a second time. It holds for the calling thread and acts
    where a function is traced: inside the function that `strategy.run` is given.
    """
    before, _here.moving_statistics_kept = _here.moving_statistics_kept, True
    try:
        yield
    finally:
        _here.moving_statistics_kept = before


@tf.keras.utils.register_keras_serializable(package="official_cvrl")
class BatchNormalization(tf.keras.layers.Layer):
    """Normalises each channel over all other axes (Ioffe and Szegedy, 2015).

    In training, y = γ (x − mean) / √(variance + ε) + β with the statistics of the batch, and
    moving ← momentum · moving + (1 − momentum) · batch. In inference, or when `trainable` is
    False, the moving statistics take the batch's place and stay as they are.

    With `synchronized`, the batch is that of all replicas; with one replica nothing has to be
    exchanged. The variance is the mean squared deviation, without Bessel's correction, on every
    path: as in `tf.keras.layers.BatchNormalization` with `synchronized=True`, which the published
    code pre-trains with, and so that the moving variance does not depend on the number of
    replicas. (Keras's fused path, taken for 4-D and
    5-D inputs without `synchronized`, multiplies the moving variance by n / (n − 1).)

    Statistics and parameters are float32 under 16-bit policies, float64 under "float64".
    """

    def __init__(self, *, momentum=0.9, epsilon=1e-5, synchronized=True, **kwargs):
        """Creates the layer.

        Args:
            momentum: Share of the old moving statistics that an update keeps, in [0, 1].
            epsilon: Added to the variance, above 0.
            synchronized: Whether the statistics are those of all replicas.
            **kwargs: Arguments of `tf.keras.layers.Layer`.

        Raises:
            ValueError: If `momentum` or `epsilon` is out of range.
        """
        super().__init__(**kwargs)
        if not 0 <= momentum <= 1:
            raise ValueError(f"momentum must be in [0, 1], got {momentum}")
        if not epsilon > 0:
            raise ValueError(f"epsilon must be above 0, got {epsilon}")
        self.momentum = momentum
        self.epsilon = epsilon
        self.synchronized = synchronized

    @property
    def statistics_dtype(self):
        """The dtype of parameters, moving statistics and moments: float64 or float32."""
        return tf.float64 if self.variable_dtype == "float64" else tf.float32

    def build(self, input_shape):
        """Creates γ, β and the moving statistics, each [channels]."""
        channels = input_shape[-1]
        self.gamma = self._add_parameter("gamma", channels, "ones")
        self.beta = self._add_parameter("beta", channels, "zeros")
        self.moving_mean = self._add_statistic("moving_mean", channels, "zeros")
        self.moving_variance = self._add_statistic("moving_variance", channels, "ones")
        super().build(input_shape)

    def _add_parameter(self, name, channels, initializer, **kwargs):
        # Never cast down: under a 16-bit policy the kernels below want float32 parameters.
        return self.add_weight(
            name=name,
            shape=[channels],
            dtype=self.statistics_dtype,
            initializer=initializer,
            experimental_autocast=False,
            **kwargs,
        )

    def _add_statistic(self, name, channels, initializer):
        return self._add_parameter(
            name,
            channels,
            initializer,
            trainable=False,
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.MEAN,
        )

    def call(self, inputs, training=False):
        """Normalises.

        Args:
            inputs: [..., channels], floating point.
            training: A Python bool: whether to use, and learn from, the batch's statistics.

        Returns:
            A tensor like `inputs`.
        """
        if not (training and self.trainable):
            return self._normalize(inputs, self.moving_mean, self.moving_variance)
        normalized = self._plainly if self.statistics_dtype == tf.float64 else self._fused
        outputs, mean, variance = normalized(inputs, self._all_reduce())
        self._update(self.moving_mean, mean)
        self._update(self.moving_variance, variance)
        return outputs

    def _all_reduce(self):
        """Sums over the replicas, or None where the batch is all here."""
        context = tf.distribute.get_replica_context() if self.synchronized else None
        if context is None or context.num_replicas_in_sync == 1:
            return None
        return functools.partial(context.all_reduce, tf.distribute.ReduceOp.SUM)

    def _plainly(self, inputs, all_reduce):
        """Outputs and moments in float64, differentiated by TensorFlow."""
        axes = list(range(inputs.shape.rank - 1))
        if all_reduce is None:
            mean, variance = tf.nn.moments(inputs, axes)
        else:
            mean, variance, _ = fused_norm.moments_of_all(
                tf.reduce_mean(inputs, axes),
                tf.reduce_mean(tf.square(inputs), axes),
                count=fused_norm.count(inputs, inputs.dtype),
                all_reduce=all_reduce,
            )
        return self._normalize_plainly(inputs, mean, variance), mean, variance

    def _fused(self, inputs, all_reduce):
        """Outputs and moments by the fused kernels."""
        frames = _as_frames(inputs)
        if all_reduce is None:
            outputs, mean, variance = fused_norm.normalize(
                frames, self.gamma, self.beta, epsilon=self.epsilon
            )
        else:
            outputs, mean, variance = fused_norm.normalize_over_replicas(
                frames, self.gamma, self.beta, epsilon=self.epsilon, all_reduce=all_reduce
            )
        return _like(inputs, outputs), mean, variance

    def _normalize(self, inputs, mean, variance):
        if self.statistics_dtype == tf.float64:
            return self._normalize_plainly(inputs, mean, variance)
        outputs = fused_norm.apply(
            _as_frames(inputs), mean, variance, self.gamma, self.beta, epsilon=self.epsilon
        )
        return _like(inputs, outputs)

    def _normalize_plainly(self, inputs, mean, variance):
        return tf.nn.batch_normalization(
            inputs, mean, variance, self.beta, self.gamma, self.epsilon
        )

    def _update(self, moving, value):
        if _here.moving_statistics_kept:
            return
        moving.assign_sub((moving - value) * tf.cast(1 - self.momentum, moving.dtype))

    def get_config(self):
        """Returns what the constructor needs to make this layer again."""
        return super().get_config() | {
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "synchronized": self.synchronized,
        }


def _as_frames(inputs):
    """The kernels know [batch, height, width, channels] only."""
    return inputs if inputs.shape.rank == 4 else tf.reshape(inputs, [-1, 1, 1, inputs.shape[-1]])


def _like(inputs, outputs):
    if inputs.shape.rank != 4:
        outputs = tf.reshape(outputs, tf.shape(inputs))
    return tf.ensure_shape(outputs, inputs.shape)
