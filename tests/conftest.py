# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What every test process needs set before TensorFlow starts: devices, threads, quiet, seeds."""

import os
import signal

# No GPU: the tests' numbers are the CPU's. Level 3: TensorFlow says on every machine that there is
# none.
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import official_cvrl  # noqa: F401  isort: skip  (selects legacy Keras before TensorFlow is imported)
import pytest
import tensorflow as tf

# Where it is ignored, as in a shell's background, the commands that tests start ignore it, too.
signal.signal(signal.SIGINT, signal.default_int_handler)
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
# Test processes beside each other share the cores.
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
_THREADS = max(1, len(os.sched_getaffinity(0)) // _WORKERS)
tf.config.threading.set_intra_op_parallelism_threads(_THREADS)
# Two replicas wait for each other, so fewer than two of these never end.
tf.config.threading.set_inter_op_parallelism_threads(max(2, _THREADS))


@pytest.fixture(autouse=True)
def seeds():
    """Makes each test's random numbers its own, whichever tests run before it."""
    tf.keras.utils.set_random_seed(0)


def pytest_collection_modifyitems(items):
    """Drops tf.test.TestCase.test_session: a deprecated context manager, not a test."""
    items[:] = [item for item in items if item.name != "test_session"]
