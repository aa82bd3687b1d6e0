# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Two replicas on two logical CPU devices, shared by all tests of a process."""

import functools

import tensorflow as tf


@functools.cache
def two_replicas() -> tf.distribute.MirroredStrategy:
    """Returns the process's one MirroredStrategy.

    The collective operations of a second one are cancelled: both count their groups from the same
    numbers, on the same devices.
    """
    return tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"])
