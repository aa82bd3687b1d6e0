# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Two logical CPU devices for every test, set before TensorFlow starts."""

import official_cvrl  # noqa: F401  (selects legacy Keras before TensorFlow is imported)
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


def pytest_collection_modifyitems(items):
    """Drops tf.test.TestCase.test_session: a deprecated context manager, not a test."""
    items[:] = [item for item in items if item.name != "test_session"]
