# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Faults of examples: raised inside tf.data with the example's name, read back outside of it."""

import re
from collections.abc import Callable

import tensorflow as tf


def require(
    condition: tf.Tensor, value: tf.Tensor, *, example_id: tf.Tensor, fault: str | tf.Tensor
) -> tf.Tensor:
    """Returns the value, if the condition holds.

    Args:
        condition: bool [].
        value: anything that must not be used otherwise.
        example_id: string [], named in the error.
        fault: what the example is or has, for the error.

    Raises:
        tf.errors.InvalidArgumentError: the condition does not hold.
    """
    return guarded(condition, value, lambda: fail(example_id, fault))


def guarded(condition: tf.Tensor, value: tf.Tensor, otherwise: Callable) -> tf.Tensor:
    """Returns the value after `otherwise` was called, if the condition, bool [], does not hold."""
    with tf.control_dependencies([tf.cond(condition, tf.no_op, otherwise)]):
        return tf.identity(value)


def fail(example_id: tf.Tensor, fault: str | tf.Tensor) -> tf.Operation:
    """Returns the operation that fails and says of an example, string [], what is wrong with it."""
    return tf.debugging.Assert(False, [tf.strings.join(["example ", example_id, " ", fault])])


def told(message: str) -> str:
    """Returns what `fail` said in the message of an error, or else TensorFlow's own words."""
    said = re.search(r"assertion failed: \[(.*)\]", message)
    return said[1] if said else message.strip()
