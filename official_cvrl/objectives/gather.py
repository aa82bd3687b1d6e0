# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Gathers a tensor from all replicas, with gradients, on any tf.distribute strategy."""

import tensorflow as tf


def replica_index() -> tf.Tensor:
    """Returns this replica's index among all in sync, int32 []; 0 outside a strategy."""
    context = tf.distribute.get_replica_context()
    return tf.cast(context.replica_id_in_sync_group, tf.int32)


def all_gather(tensor: tf.Tensor) -> tf.Tensor:
    """Concatenates the replicas' tensors along the first axis, in the order of the replicas.

    Each replica puts its rows into its own slot of an otherwise zero tensor and the sum over the
    replicas fills the slots. All-reduce is the one collective that every strategy has and
    differentiates, TPUs included; the sum with zeros is exact.

    Args:
        tensor: [rows, ...], floating point; the same shape on every replica.

    Returns:
        [num_replicas * rows, ...]. Its gradient with respect to `tensor` sums over the replicas
        what each of them does with the gathered rows.

    Raises:
        RuntimeError: outside a replica context (inside `strategy.scope()` but not `strategy.run`).
    """
    context = tf.distribute.get_replica_context()
    if context is None:
        raise RuntimeError("all_gather works per replica: call it inside strategy.run.")
    num_replicas = context.num_replicas_in_sync
    if num_replicas == 1:
        return tensor
    slot = tf.one_hot(replica_index(), num_replicas, dtype=tensor.dtype)
    slots = tf.tensordot(slot, tensor, axes=0)
    gathered = context.all_reduce(tf.distribute.ReduceOp.SUM, slots)
    return tf.concat(tf.unstack(gathered, num_replicas), axis=0)
