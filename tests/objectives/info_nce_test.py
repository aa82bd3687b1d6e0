# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""InfoNCE against an independent NumPy oracle, the published loss, and across replicas."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from official.projects.video_ssl.losses import losses as published

from official_cvrl.objectives import info_nce
from tests import replicas


def _unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def _direction(anchors, others, temperature):
    """Equation 1, clip by clip: row i of the others is the positive of anchor i."""
    losses = []
    for i in range(len(anchors)):
        candidates = [others[k] for k in range(len(others))]
        candidates += [anchors[k] for k in range(len(anchors)) if k != i]
        terms = [np.exp(anchors[i] @ other / temperature) for other in candidates]
        losses.append(-np.log(terms[i] / sum(terms)))
    return np.mean(losses)


def _oracle(a, b, temperature, symmetric):
    a, b = _unit(a), _unit(b)
    loss = _direction(a, b, temperature)
    if symmetric:
        loss += _direction(b, a, temperature)
    logits = a @ b.T / temperature
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    entropy = -(probabilities * np.log(probabilities)).sum(axis=1).mean()
    return loss, np.mean(logits.argmax(axis=1) == np.arange(len(a))), entropy


def _projections(count=6, dim=5, seed=0):
    generator = np.random.default_rng(seed)
    a = generator.normal(size=[count, dim])
    return a, a + generator.normal(size=[count, dim])


def _oracle_gradients(a, b, temperature, symmetric):
    """The derivative of equation 1 by hand: all 2N clips as rows of one softmax."""
    count, lengths = len(a), np.linalg.norm(np.concatenate([a, b]), axis=1, keepdims=True)
    clips = np.concatenate([a, b]) / lengths
    terms = np.exp(clips @ clips.T / temperature) * (1 - np.eye(2 * count))
    positives = np.roll(np.eye(2 * count), count, axis=1)
    by_logit = (terms / terms.sum(axis=1, keepdims=True) - positives) / count
    by_logit[count:] *= symmetric
    by_clip = (by_logit + by_logit.T) @ clips / temperature
    along = np.sum(by_clip * clips, axis=1, keepdims=True)
    return np.split((by_clip - along * clips) / lengths, 2)


def _with_gradients(a, b, **arguments):
    pair = tf.constant(a), tf.constant(b)
    with tf.GradientTape() as tape:
        tape.watch(pair)
        outputs = info_nce.info_nce_loss(*pair, **arguments)
    return outputs, tape.gradient(outputs.loss, pair)


class InfoNceTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.product(temperature=(0.1, 0.5), symmetric=(True, False))
    def test_equals_the_numpy_oracle(self, temperature, symmetric):
        a, b = _projections()
        outputs = info_nce.info_nce_loss(
            tf.constant(a), tf.constant(b), temperature=temperature, symmetric=symmetric
        )
        expected = _oracle(a, b, temperature, symmetric)
        self.assertAllClose(tuple(outputs), expected, rtol=1e-12)

    @parameterized.product(temperature=(0.1, 0.5), symmetric=(True, False))
    def test_gradients_equal_the_numpy_oracles(self, temperature, symmetric):
        a, b = _projections()
        _, gradients = _with_gradients(a, b, temperature=temperature, symmetric=symmetric)
        expected = _oracle_gradients(a, b, temperature, symmetric)
        self.assertAllClose(gradients, expected, rtol=1e-10, atol=1e-12)

    @parameterized.parameters(True, False)
    def test_gradients_equal_finite_differences_of_the_oracle(self, symmetric):
        a, b = _projections(count=3, dim=4)
        _, gradients = _with_gradients(a, b, symmetric=symmetric)
        pair = np.stack([a, b])
        numeric = np.zeros_like(pair)
        for index in np.ndindex(pair.shape):
            step = np.zeros_like(pair)
            step[index] = 1e-6
            ends = [_oracle(*(pair + sign * step), 0.1, symmetric)[0] for sign in (1, -1)]
            numeric[index] = (ends[0] - ends[1]) / 2e-6
        self.assertAllClose(tf.stack(gradients), numeric, rtol=1e-5, atol=1e-6)

    def test_two_directions_are_summed_by_default(self):
        a, b = _projections()
        both = info_nce.info_nce_loss(tf.constant(a), tf.constant(b)).loss
        one = info_nce.info_nce_loss(tf.constant(a), tf.constant(b), symmetric=False).loss
        other = info_nce.info_nce_loss(tf.constant(b), tf.constant(a), symmetric=False).loss
        self.assertNotAllClose(one, other, rtol=1e-3)
        self.assertAllClose(both, one + other, rtol=1e-12)

    def test_equals_the_published_loss_metrics_and_gradients(self):
        a, b = (part.astype(np.float32) for part in _projections(count=16, dim=12))
        model = tf.Module()
        model.kernel = tf.Variable([3.0], name="kernel")
        hidden = tf.constant(np.concatenate([a, b]))
        with tf.GradientTape() as tape:
            tape.watch(hidden)
            theirs = published.contrastive_loss(hidden, 1, True, 0.1, model, 0.0)
        ours, gradients = _with_gradients(a, b)
        self.assertAllClose(ours.loss, theirs["contrastive_loss"], rtol=1e-6)
        self.assertAllClose(ours.accuracy, theirs["contrast_acc"], rtol=1e-6)
        self.assertAllClose(ours.entropy, theirs["contrast_entropy"], rtol=1e-5)
        self.assertBetween(float(ours.accuracy), 0.1, 0.95)
        expected = tape.gradient(theirs["contrastive_loss"], hidden)
        self.assertAllClose(tf.concat(gradients, axis=0), expected, rtol=1e-4, atol=1e-6)

    def test_entropy_of_the_second_views_by_hand(self):
        """Equally near candidates: the logarithm of their number."""
        a = tf.eye(5)[:4]
        b = tf.tile(tf.eye(5)[4:], [4, 1])
        self.assertAllClose(info_nce.info_nce_loss(a, b).entropy, np.log(4), rtol=1e-6)

    def test_accuracy_counts_the_anchors_that_find_their_video(self):
        a = tf.eye(4)
        b = tf.gather(a, [0, 1, 3, 2])
        self.assertAllClose(info_nce.info_nce_loss(a, b).accuracy, 0.5)

    def test_sixteen_bit_projections_give_a_float32_loss(self):
        a, b = _projections()
        half = info_nce.info_nce_loss(tf.constant(a, tf.bfloat16), tf.constant(b, tf.bfloat16))
        self.assertEqual(half.loss.dtype, tf.float32)
        self.assertAllClose(half.loss, _oracle(a, b, 0.1, True)[0], rtol=0.05)

    def test_refuses_a_temperature_of_zero(self):
        with self.assertRaisesRegex(ValueError, "temperature must be positive, not 0"):
            info_nce.info_nce_loss(tf.eye(2), tf.eye(2), temperature=0)

    def test_two_replicas_give_the_loss_and_gradient_of_one(self):
        a, b = _projections(count=6)
        strategy = replicas.two_replicas()

        def replica(values):
            with tf.GradientTape() as tape:
                tape.watch(values)
                outputs = info_nce.info_nce_loss(*values)
            return outputs, tape.gradient(outputs.loss, values)

        halves = strategy.experimental_distribute_values_from_function(
            lambda context: tuple(
                tf.constant(x)[3 * context.replica_id_in_sync_group :][:3] for x in (a, b)
            )
        )
        outputs, gradients = tf.function(lambda: strategy.run(replica, args=(halves,)))()
        expected, expected_gradients = replica((tf.constant(a), tf.constant(b)))
        for got, wanted in zip(outputs, expected, strict=True):
            self.assertAllClose(strategy.reduce("MEAN", got, axis=None), wanted, rtol=1e-12)
        for got, wanted in zip(gradients, expected_gradients, strict=True):
            # Each replica's loss is a mean over half the batch; the global one over all of it.
            joined = tf.concat(strategy.experimental_local_results(got), axis=0) / 2
            self.assertAllClose(joined, wanted, rtol=1e-10)


if __name__ == "__main__":
    tf.test.main()
