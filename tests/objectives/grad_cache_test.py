# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Updates in chunks against one tape over the chunks, on one replica and on two."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from official_cvrl import optimizers
from official_cvrl.modeling import blocks, heads
from official_cvrl.objectives import grad_cache, info_nce, weight_decay
from tests import replicas

# Numbers that float32 holds exactly: the optimizer keeps them in it.
_BATCH, _STEPS, _RATE, _MOMENTUM, _DECAY = 8, 2, 0.125, 0.75, 2**-6


class _Model(tf.Module):
    """A block and a head over clips of four frames of 16×16."""

    def __init__(self, policy):
        super().__init__()
        self.block = blocks.BasicBlock(4, spatial_stride=2, dtype=policy)
        self.block.build([None, None, None, 3])
        self.head = heads.ProjectionHead(1, 8, 6, dtype=policy)
        self.head.build([None, 4])

    def project(self, batch):
        frames = tf.reshape(tf.concat(tf.unstack(batch["views"], axis=1), 0), [-1, 16, 16, 3])
        endpoint = self.block(tf.cast(frames, self.block.compute_dtype), 4, training=True)
        endpoint = tf.reshape(endpoint, [-1, 4 * 8 * 8, 4])
        embeddings = tf.reduce_mean(tf.cast(endpoint, self.head.variable_dtype), axis=1)
        return tuple(tf.split(self.head(embeddings, training=True), 2))

    def objective(self, projections_a, projections_b):
        contrast = info_nce.info_nce_loss(projections_a, projections_b, temperature=0.5)
        decay = weight_decay.kernel_l2_loss(self.trainable_variables, _DECAY)
        return {"loss": contrast.loss + tf.cast(decay, contrast.loss.dtype), **_metrics(contrast)}


def _metrics(contrast):
    return {"accuracy": contrast.accuracy, "entropy": contrast.entropy}


def _batches():
    """Clips that differ in colour and contrast, so that no batch norm divides by nearly nothing."""
    random = np.random.default_rng(1)
    colors = random.uniform(size=[_STEPS, _BATCH, 2, 1, 1, 1, 3])
    contrasts = random.uniform(size=[_STEPS, _BATCH, 2, 1, 1, 1, 1])
    noise = random.uniform(size=[_STEPS, _BATCH, 2, 4, 16, 16, 3])
    return (colors + contrasts * noise).astype(np.float32) / 2


def _initial(policy):
    random = np.random.default_rng(2)
    return [random.uniform(0.1, 1.0, v.shape) * _sign(random, v) for v in _Model(policy).variables]


def _sign(random, variable):
    # Variances and γ stay positive.
    is_kernel = "kernel" in variable.name
    return random.choice([-1.0, 1.0], variable.shape) if is_kernel else 1.0


def _load(model, values):
    for variable, value in zip(model.variables, values, strict=True):
        variable.assign(tf.cast(value, variable.dtype))


def _sgd():
    return optimizers.sgd(learning_rate=_RATE, momentum=_MOMENTUM)


def _in_chunks(strategy, policy, chunk_size, make_optimizer=_sgd):
    """What GradCache reports in each step, and the variables of each replica after the last."""
    with strategy.scope():
        model, optimizer = _Model(policy), make_optimizer()
    _load(model, _initial(policy))
    cache = grad_cache.GradCache(
        strategy=strategy,
        chunk_size=chunk_size,
        project=model.project,
        projection=tf.TensorSpec([6], model.head.variable_dtype),
        objective=model.objective,
        optimizer=optimizer,
        variables=model.trainable_variables,
    )
    share = _BATCH // strategy.num_replicas_in_sync

    @tf.function(autograph=False)
    def step(batch):
        outputs = cache.minimize(batch)
        return {name: strategy.reduce("MEAN", part, axis=None) for name, part in outputs.items()}

    def distribute(clips):
        return strategy.experimental_distribute_values_from_function(
            lambda context: {
                "views": tf.constant(clips[context.replica_id_in_sync_group * share :][:share])
            }
        )

    outputs = [step(distribute(clips)) for clips in _batches()]
    values = [strategy.experimental_local_results(variable) for variable in model.variables]
    return outputs, list(zip(*values, strict=True))


def _on_one_tape(policy, chunks):
    """The same by one tape over the chunks, each a list of rows, and SGD by hand."""
    model = _Model(policy)
    _load(model, _initial(policy))
    velocities = [tf.zeros_like(variable) for variable in model.trainable_variables]
    outputs = []
    for clips in _batches():
        with tf.GradientTape() as tape:
            pairs = [model.project({"views": tf.constant(clips[rows])}) for rows in chunks]
            pair = [tf.concat(parts, 0) for parts in zip(*pairs, strict=True)]
            outputs.append(model.objective(*pair))
        gradients = tape.gradient(outputs[-1]["loss"], model.trainable_variables)
        for index, variable in enumerate(model.trainable_variables):
            velocities[index] = _MOMENTUM * velocities[index] + gradients[index]
            variable.assign_sub(_RATE * velocities[index])
    return outputs, model.variables


def _chunks(num_replicas, chunk_size):
    """Rows of the global batch that are together in the model."""
    rows = np.arange(_BATCH).reshape([num_replicas, -1, chunk_size])
    return [rows[:, chunk].ravel() for chunk in range(rows.shape[1])]


def _update(values, policy):
    """How far all variables went, as one vector."""
    pairs = zip(values, _initial(policy), strict=True)
    return np.concatenate([np.ravel(value - before) for value, before in pairs])


class GradCacheTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.named_parameters(
        ("four_chunks", tf.distribute.get_strategy, 2, "float64", 1e-9),
        ("one_chunk", tf.distribute.get_strategy, _BATCH, "float64", 1e-9),
        ("two_chunks_in_float32", tf.distribute.get_strategy, 4, "float32", 1e-5),
        ("two_chunks_of_each_replica", replicas.two_replicas, 2, "float64", 1e-9),
    )
    def test_equals_one_tape_over_the_chunks(self, make_strategy, chunk_size, policy, tolerance):
        strategy = make_strategy()
        outputs, values = _in_chunks(strategy, policy, chunk_size)
        chunks = _chunks(strategy.num_replicas_in_sync, chunk_size)
        expected_outputs, expected = _on_one_tape(policy, chunks)
        self.assertAllClose(outputs, expected_outputs, tolerance, tolerance)
        for replica_values in values:
            self.assertAllClose(replica_values, expected, tolerance, tolerance)

    @parameterized.parameters(("mixed_bfloat16", 0.05), ("mixed_float16", 0.01))
    def test_sixteen_bits_stay_close(self, policy, tolerance):
        def scaled():
            return tf.keras.mixed_precision.LossScaleOptimizer(_sgd(), initial_scale=2**10)

        strategy = tf.distribute.get_strategy()
        make = scaled if policy == "mixed_float16" else _sgd
        outputs, (values,) = _in_chunks(strategy, policy, 2, make)
        expected_outputs, expected = _on_one_tape("float32", _chunks(1, 2))
        self.assertAllClose(outputs[-1]["loss"], expected_outputs[-1]["loss"], tolerance)
        update, wanted = _update(values, policy), _update(expected, policy)
        self.assertGreater(np.linalg.norm(wanted), 0.1)
        self.assertLess(np.linalg.norm(update - wanted), tolerance * np.linalg.norm(wanted))

    def test_refuses_a_chunk_that_does_not_divide_the_batch(self):
        with self.assertRaisesRegex(ValueError, "chunk_size=3 must divide the 8 rows"):
            _in_chunks(tf.distribute.get_strategy(), "float32", 3)


if __name__ == "__main__":
    tf.test.main()
