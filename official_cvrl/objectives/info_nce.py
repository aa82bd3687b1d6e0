# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""InfoNCE over the global batch (paper, section 3.1, equation 1)."""

from typing import NamedTuple

import tensorflow as tf

from official_cvrl.objectives import gather

# Subtracted from the logit of a clip with itself: exp(-1e9) is zero in every dtype used here.
_SELF_PENALTY = 1e9


class InfoNceOutputs(NamedTuple):
    """What the objective says of one replica's part of the batch; each a scalar.

    Attributes:
        loss: mean over this replica's videos.
        accuracy: share of the first views that are nearest, among all second views of the global
            batch, to the second view of their own video (Figure 5).
        entropy: mean entropy, in nats, of the softmax over the same candidates (Figure 5).
    """

    loss: tf.Tensor
    accuracy: tf.Tensor
    entropy: tf.Tensor


def info_nce_loss(
    projections_a: tf.Tensor,
    projections_b: tf.Tensor,
    *,
    temperature: float = 0.1,
    symmetric: bool = True,
) -> InfoNceOutputs:
    """Contrasts the two views of each video with all other clips of the global batch.

    For each anchor the positive is the other view of the same video; the denominator holds the
    other 2N - 1 clips of the N videos on all replicas.

    Args:
        projections_a: [per_replica_batch_size, dim] projections of the first views, floating
            point; they need not be normalised.
        projections_b: the same for the second views, in the same order.
        temperature: divides the cosine similarities; positive.
        symmetric: True adds the two directions, loss_a + loss_b, as the published code does;
            False takes the first views as the only anchors, as equation 1 is printed.

    Returns:
        `InfoNceOutputs`, float32 (float64 for float64 projections). The mean of `loss` over the
        replicas is the loss of the global batch.

    Raises:
        ValueError: temperature is not positive.
    """
    if temperature <= 0:
        raise ValueError(f"temperature must be positive, not {temperature}.")
    views_a, views_b = _normalized(projections_a), _normalized(projections_b)
    all_a, all_b = gather.all_gather(views_a), gather.all_gather(views_b)
    num_local = tf.shape(views_a)[0]
    positives = gather.replica_index() * num_local + tf.range(num_local)

    logits_ab = tf.matmul(views_a, all_b, transpose_b=True) / temperature
    loss = _cross_entropy(logits_ab, _others(views_a, all_a, positives, temperature), positives)
    if symmetric:
        logits_ba = tf.matmul(views_b, all_a, transpose_b=True) / temperature
        loss += _cross_entropy(
            logits_ba, _others(views_b, all_b, positives, temperature), positives
        )
    return InfoNceOutputs(loss, _accuracy(logits_ab, positives), _entropy(logits_ab))


def _normalized(projections):
    dtype = tf.float64 if projections.dtype == tf.float64 else tf.float32
    return tf.math.l2_normalize(tf.cast(projections, dtype), axis=-1)


def _others(views, all_views, positives, temperature):
    """Logits with the clips of the same view, each clip with itself taken out."""
    logits = tf.matmul(views, all_views, transpose_b=True) / temperature
    itself = tf.one_hot(positives, tf.shape(all_views)[0], dtype=logits.dtype)
    return logits - _SELF_PENALTY * itself


def _cross_entropy(logits_positive, logits_others, positives):
    logits = tf.concat([logits_positive, logits_others], axis=1)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=positives, logits=logits)
    return tf.reduce_mean(losses)


def _accuracy(logits, positives):
    hits = tf.equal(tf.argmax(logits, axis=1, output_type=tf.int32), positives)
    return tf.reduce_mean(tf.cast(hits, logits.dtype))


def _entropy(logits):
    log_probabilities = tf.nn.log_softmax(logits)
    return -tf.reduce_mean(tf.reduce_sum(tf.exp(log_probabilities) * log_probabilities, axis=1))
