# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Names of examples on their way through a strategy: accelerators know no strings."""

import numpy as np
import tensorflow as tf

MAX_BYTES = 512


def to_numbers(example_id: tf.Tensor) -> tf.Tensor:
    """Returns the first 512 bytes of a name, string [], as int32 [512]; zeros end it.

    Not uint8, which workers do not gather.
    """
    cut = tf.strings.substr(example_id, 0, MAX_BYTES)
    return tf.cast(tf.io.decode_raw(cut, tf.uint8, fixed_length=MAX_BYTES), tf.int32)


def to_text(row: np.ndarray) -> str:
    """Returns the name that `to_numbers` gave as [512]; bytes that are no UTF-8 are replaced."""
    return row.astype(np.uint8).tobytes().rstrip(b"\0").decode(errors="replace")
