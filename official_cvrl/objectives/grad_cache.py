# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""One update from a large contrastive batch in the memory of a small one (Gao et al., 2021)."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from official_cvrl import optimizers
from official_cvrl.modeling import normalization


@dataclasses.dataclass(frozen=True, kw_only=True)
class GradCache:
    """Updates variables by a loss over the whole batch, chunk by chunk.

    Of such a loss, a chunk of the batch needs only the gradient with respect to its own
    projections. So the chunks go through the model twice: first for their projections alone, then,
    once the loss of all projections is differentiated, with gradients. The activations of one
    chunk are in memory at a time, on all replicas at once.

    The update is that of one step over the whole batch, but for batch norm's batch: it is the
    `chunk_size` videos, both views, of each replica (of all replicas, where synchronised). Moving
    statistics learn once from each chunk, in the second pass.

    Attributes:
        strategy: whose replicas share the global batch.
        chunk_size: rows of one replica that go through the model at once.
        project: of a chunk of the batch, in replica context, to the projections of the first and
            of the second views, each [chunk_size, dim]; the same both times, so no dropout.
        projection: shape [dim] and dtype of one projection.
        objective: of projections [batch, dim] twice, in replica context, to named scalars, "loss"
            among them. What the loss says of the variables themselves (weight decay) counts once.
        optimizer: see `optimizers.minimize`.
        variables: trainable variables, all of which the projections must depend on.
    """

    strategy: tf.distribute.Strategy
    chunk_size: int
    project: Callable[[Any], tuple[tf.Tensor, tf.Tensor]]
    projection: tf.TensorSpec
    objective: Callable[[tf.Tensor, tf.Tensor], Mapping[str, tf.Tensor]]
    optimizer: Any
    variables: Sequence[tf.Variable]

    def minimize(self, batch: Any) -> Mapping[str, tf.Tensor]:
        """Updates the variables once; called outside the replicas, in a `tf.function`.

        Args:
            batch: structure of tensors, per replica [batch, ...], static shape, as distributed
                datasets give it.

        Returns:
            What `objective` says of the whole batch, per replica.

        Raises:
            ValueError: chunk_size does not divide the batch; some variables have no gradient.
        """
        run = self.strategy.run
        num_chunks = self._num_chunks(batch)
        pair = run(self._no_projections, args=(num_chunks,))
        pair = self._for_each_chunk(num_chunks, self._collect, pair, batch)
        outputs, pair_gradients, gradients = run(self._differentiate, args=(pair,))
        gradients = self._for_each_chunk(
            num_chunks, self._accumulate, gradients, batch, pair_gradients
        )
        run(self._apply, args=(gradients,))
        return outputs

    def _num_chunks(self, batch):
        first = tf.nest.flatten(batch)[0]
        rows = self.strategy.experimental_local_results(first)[0].shape[0]
        if rows % self.chunk_size:
            raise ValueError(
                f"chunk_size={self.chunk_size} must divide the {rows} rows of a replica's batch."
            )
        return rows // self.chunk_size

    def _for_each_chunk(self, num_chunks, step, state, *constants):
        """Carries a state through step(index, state, *constants), run on every replica."""

        # The loop goes round strategy.run: inside a replica it could not hold the exchange of
        # batch statistics. One iteration at a time, because that is what saves the memory.
        def body(index, state):
            return index + 1, self.strategy.run(step, args=(index, state, *constants))

        return tf.while_loop(
            lambda index, _: index < num_chunks, body, (0, state), parallel_iterations=1
        )[1]

    def _no_projections(self, num_chunks):
        shape = [num_chunks, self.chunk_size, *self.projection.shape]
        return tuple(tf.zeros(shape, self.projection.dtype) for _ in range(2))

    def _collect(self, index, pair, batch):
        """The first pass: writes a chunk's projections into [num_chunks, chunk_size, dim]."""
        with normalization.moving_statistics_kept():
            parts = self.project(self._chunk(batch, index))
        return tuple(
            tf.tensor_scatter_nd_update(whole, [[index]], [part])
            for whole, part in zip(pair, parts, strict=True)
        )

    def _differentiate(self, pair):
        """The objective; the loss's gradients by projections, and by variables directly."""
        with tf.GradientTape() as tape:
            tape.watch(pair)
            outputs = self.objective(*(tf.reshape(part, [-1, part.shape[-1]]) for part in pair))
        pair_gradients, gradients = tape.gradient(
            outputs["loss"],
            (pair, list(self.variables)),
            output_gradients=optimizers.loss_gradient(self.optimizer, outputs["loss"]),
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        return outputs, pair_gradients, gradients

    def _accumulate(self, index, gradients, batch, pair_gradients):
        """The second pass: adds what the loss owes to the variables by way of a chunk."""
        with tf.GradientTape() as tape:
            parts = self.project(self._chunk(batch, index))
        part_gradients = [whole[index] for whole in pair_gradients]
        added = optimizers.gradients(tape, parts, self.variables, part_gradients)
        return [total + gradient for total, gradient in zip(gradients, added, strict=True)]

    def _apply(self, gradients):
        optimizers.apply(self.optimizer, gradients, self.variables)

    def _chunk(self, batch, index):
        """Rows [index * chunk_size, (index + 1) * chunk_size) of every tensor."""
        return tf.nest.map_structure(
            lambda rows: tf.reshape(rows, [-1, self.chunk_size, *rows.shape[1:]])[index], batch
        )
