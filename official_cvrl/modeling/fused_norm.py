# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Batch norm by TensorFlow's fused kernels, over this replica's batch or over all replicas'.

Inputs are frames [batch, height, width, channels], float32, bfloat16 or float16; parameters,
moments and their gradients float32 [channels]. Variances are mean squared deviations.
"""

from collections.abc import Callable

import tensorflow as tf


def apply(frames, mean, variance, gamma, beta, *, epsilon: float) -> tf.Tensor:
    """Normalises by given moments: γ (x − mean) / √(variance + ε) + β, like `frames`."""
    return _kernel(frames, gamma, beta, mean, variance, epsilon=epsilon, is_training=False).y


def normalize(frames, gamma, beta, *, epsilon: float) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Normalises by the batch's moments; returns outputs, mean and variance."""
    nothing = tf.zeros([0])
    outputs = _kernel(frames, gamma, beta, nothing, nothing, epsilon=epsilon, is_training=True)
    return outputs.y, outputs.batch_mean, _uncorrected(outputs.batch_variance, count(frames))


def normalize_over_replicas(
    frames, gamma, beta, *, epsilon: float, all_reduce: Callable[[tf.Tensor], tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Normalises by the moments of all replicas' batches.

    For the gradient only `frames` and the moments are kept. Differentiated by TensorFlow, the
    formula would keep several float32 copies of the frames, and read each.

    Args:
        frames: this replica's, at least one; replicas may hold different numbers of them.
        gamma: scale.
        beta: offset.
        epsilon: added to the variance.
        all_reduce: sums float32 vectors over the replicas.

    Returns:
        Outputs, mean and variance; gradients pass through the outputs alone.
    """

    @tf.custom_gradient
    def normalized(frames, gamma, beta):
        _, own_mean, own_variance = normalize(frames, gamma, beta, epsilon=epsilon)
        mean, variance, total = moments_of_all(
            own_mean,
            own_variance + tf.square(own_mean),
            count=count(frames),
            all_reduce=all_reduce,
        )

        def gradient(outputs_gradient, *unused_moments_gradients):
            return _gradient(
                outputs_gradient, frames, gamma, mean, variance, total, epsilon, all_reduce
            )

        outputs = apply(frames, mean, variance, gamma, beta, epsilon=epsilon)
        return (outputs, mean, variance), gradient

    return normalized(frames, gamma, beta)


def moments_of_all(mean, mean_square, *, count, all_reduce) -> tuple[tf.Tensor, ...]:
    """Mean, variance and count of all replicas' elements, out of this one's.

    Args:
        mean: [channels], of this replica.
        mean_square: [channels], of this replica.
        count: [], how many elements of each channel this replica has, of the same dtype.
        all_reduce: sums vectors over the replicas.

    Returns:
        Mean [channels], variance [channels] and count [].
    """
    # One vector, so that each layer costs one exchange.
    sums = all_reduce(tf.concat([mean * count, mean_square * count, [count]], axis=0))
    channels = mean.shape[0]
    mean, mean_square = sums[:channels] / sums[-1], sums[channels:-1] / sums[-1]
    # Rounding can bring the difference of two large numbers below zero.
    return mean, tf.maximum(mean_square - tf.square(mean), 0), sums[-1]


def count(inputs, dtype=tf.float32) -> tf.Tensor:
    """How many elements each channel has, []."""
    return tf.cast(tf.size(inputs) // inputs.shape[-1], dtype)


def _gradient(outputs_gradient, frames, gamma, mean, variance, total, epsilon, all_reduce):
    """Gradients of frames, γ and β; those of γ and β are this replica's share."""
    by_given = tf.raw_ops.FusedBatchNormGradV3(
        y_backprop=outputs_gradient,
        x=frames,
        scale=gamma,
        reserve_space_1=mean,
        reserve_space_2=variance,
        reserve_space_3=tf.zeros([0]),
        epsilon=epsilon,
        is_training=False,
    )
    own = tf.concat([by_given.scale_backprop, by_given.offset_backprop], axis=0)
    of_gamma, of_beta = tf.split(all_reduce(own) / total, 2)
    # What the moments add: −γ/σ (∂β + x̂ ∂γ) / n, a normalisation with other parameters.
    scale = -gamma * tf.math.rsqrt(variance + epsilon)
    by_moments = apply(frames, mean, variance, scale * of_gamma, scale * of_beta, epsilon=epsilon)
    return by_given.x_backprop + by_moments, by_given.scale_backprop, by_given.offset_backprop


def _kernel(frames, gamma, beta, mean, variance, *, epsilon, is_training):
    # The raw op, because tf.compat.v1.nn.fused_batch_norm raises ε to 1.001e-5.
    return tf.raw_ops.FusedBatchNormV3(
        x=frames,
        scale=gamma,
        offset=beta,
        mean=mean,
        variance=variance,
        epsilon=epsilon,
        is_training=is_training,
    )


def _uncorrected(variance, count):
    """Without Bessel's correction, which the kernel applies to the variance that it reports."""
    return variance * (count - 1) / count
