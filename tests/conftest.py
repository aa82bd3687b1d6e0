# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What every test process needs set before TensorFlow starts: devices, threads, quiet, seeds."""

import importlib.util
import os
import pathlib
import signal

# No GPU: the tests' numbers are the CPU's. Level 3: TensorFlow says on every machine that there is
# none.
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import official_cvrl  # noqa: F401  isort: skip  (selects legacy Keras before TensorFlow is imported)
import pytest
import tensorflow as tf

# What only the second stack has is tested there.
collect_ignore = []
if importlib.util.find_spec("tensorflow_addons") is None:
    collect_ignore = ["e2e/addons_test.py", "e2e/s3_test.py"]

# The files that take longest, the longest first, which is the order in which they are begun: else
# one process would end the run with the last of them while the others are done. `make test-fast`,
# with which other Pythons and the second stack are tried, leaves them out.
_SLOW = tuple(
    f"{name}_test.py"
    for name in (
        *("e2e/resume", "tasks/strategies", "data/pipeline", "e2e/workers", "e2e/pipeline"),
        *("report/page", "serving/export", "modeling/resnet_3d_parity", "tasks/pretrain"),
        *("data/detection", "report/neighbors", "tfrecords_tools/beam_engine", "weights/keras_2d"),
        *("data/sampling", "serving/export_published", "tfrecords_tools/convert_command"),
        *("tasks/detect", "weights/published", "data/service", "serving/clients", "e2e/bad_input"),
        *("data/spatial", "tasks/views", "objectives/grad_cache", "tasks/classify", "origin"),
        *("serving/extract", "serving/docs", "tfrecords_tools/scaling", "tfrecords_tools/fuzz"),
        *("tfrecords_tools/interchange", "tfrecords_tools/convert"),
    )
)
_TESTS = pathlib.Path(__file__).parent
_missing = sorted(name for name in _SLOW if not (_TESTS / name).is_file())
if _missing:
    raise ValueError(f"{_missing}: no such files; take them out of _SLOW.")

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
    """Drops tf.test.TestCase.test_session, a deprecated context manager; slow files come first."""
    items[:] = [item for item in items if item.name != "test_session"]
    items.sort(key=_place)
    for item in items:
        if _place(item) < len(_SLOW):
            item.add_marker("slow")


def _place(item):
    """Of the item's file in _SLOW, or behind it."""
    path = item.path.relative_to(_TESTS).as_posix()
    return _SLOW.index(path) if path in _SLOW else len(_SLOW)
