# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Faults of examples: raised inside tf.data with the example's name, read back outside of it."""

import re
from collections.abc import Callable

import tensorflow as tf

_UNFIT = " is readable, but "
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)")
_CONTROL = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def require(
    condition: tf.Tensor,
    value: tf.Tensor,
    *,
    example_id: tf.Tensor,
    fault: str | tf.Tensor,
    unfit: bool = False,
) -> tf.Tensor:
    """Returns the value, if the condition holds.

    Args:
        condition: bool [].
        value: anything that must not be used otherwise.
        example_id: string [], named in the error.
        fault: what the example is or has, for the error.
        unfit: whether such a record is a sound one, of no use to this task alone; then the fault
            says the way out, too.

    Raises:
        tf.errors.InvalidArgumentError: the condition does not hold.
    """
    name = tf.strings.join([example_id, _UNFIT[:-1]]) if unfit else example_id
    return guarded(condition, value, lambda: fail(name, fault))


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
    return _unescaped(said[1]) if said else message.strip()


def is_damage(fault: str) -> bool:
    """Whether what was told is a fault of the record itself, so that a check of it finds it."""
    return _UNFIT not in fault


def _unescaped(printed: str) -> str:
    """TensorFlow prints text as in C: quotes with backslashes, control characters as octal."""
    return _ESCAPE.sub(_character, printed.encode()).decode(errors="replace")


def _character(escape):
    code = escape[1]
    return bytes([int(code, 8)]) if len(code) == 3 else _CONTROL.get(code, code)
