# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Weight decay as a loss: on convolution and dense kernels, not on biases nor batch norm."""

from collections.abc import Sequence

import tensorflow as tf


def kernel_l2_loss(variables: Sequence[tf.Variable], weight_decay: float) -> tf.Tensor:
    """Returns weight_decay * sum of ||kernel||^2 / 2 over the kernels among the variables.

    Args:
        variables: trainable variables; those whose own name (after the last slash) contains
            "kernel" are decayed.
        weight_decay: factor, 1e-6 in the paper's runs; 0 gives 0.

    Returns:
        A float32 scalar (float64 for float64 kernels).
    """
    kernels = [v for v in variables if "kernel" in v.name.rsplit("/", 1)[-1]]
    if not kernels or not weight_decay:
        return tf.zeros([])
    return weight_decay * tf.add_n([tf.nn.l2_loss(kernel) for kernel in kernels])
