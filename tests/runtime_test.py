# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Strategies by name; mistakes refused by name."""

import os
import subprocess
import sys
from unittest import mock

import tensorflow as tf
from absl.testing import parameterized

from official_cvrl import errors, runtime
from tests import cluster

_ONE_WORKER = """
import tensorflow as tf
from official_cvrl import runtime
strategy = runtime.Runtime(strategy="multi_worker_mirrored", deterministic=True).start(seed=0)
print(type(strategy).__name__, strategy.num_replicas_in_sync)
try:
    tf.random.Generator.from_non_deterministic_state()
except RuntimeError:
    print("deterministic")
"""


class RuntimeTest(tf.test.TestCase, parameterized.TestCase):
    def tearDown(self):
        super().tearDown()
        tf.keras.mixed_precision.set_global_policy("float32")

    @parameterized.parameters(("auto", 1), ("one_device", 1), ("mirrored", 2))
    def test_strategies_on_two_logical_cpus(self, name, replicas):
        strategy = runtime.Runtime(strategy=name).start(seed=0)
        self.assertEqual(strategy.num_replicas_in_sync, replicas)

    @parameterized.parameters(("float32", ""), ("mixed_bfloat16", ". There is no GPU or TPU here"))
    def test_devices_are_told_and_that_none_is_what_the_precision_is_for(self, precision, more):
        made = runtime.Runtime(strategy="mirrored", precision=precision)
        line = made.devices(made.start(seed=0))
        self.assertEqual(line.partition(", which")[0], f"Devices: 2 CPU{more}")

    def test_a_worker_of_a_cluster(self):
        (environment,) = cluster.environments(1)
        # A process of its own: this one's devices are in use, and then no cluster can be joined.
        done = subprocess.run(
            [sys.executable, "-c", _ONE_WORKER],
            env=os.environ | environment,
            cwd=os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.split(), ["CollectiveAllReduceStrategy", "1", "deterministic"])

    def test_auto_takes_what_the_environment_names(self):
        auto = runtime.Runtime()
        self.assertEqual(auto.chosen(), "auto")
        self.assertEqual(runtime.Runtime(tpu="grpc://10.0.0.1:8470").chosen(), "tpu")
        with mock.patch.dict(os.environ, TPU_NAME="local"):
            self.assertEqual(auto.chosen(), "tpu")
            self.assertEqual(runtime.Runtime(strategy="mirrored").chosen(), "mirrored")
        for num_workers, expected in ((1, "auto"), (2, "multi_worker_mirrored")):
            with mock.patch.dict(os.environ, cluster.environments(num_workers)[0]):
                self.assertEqual(auto.chosen(), expected)

    def test_precision_becomes_the_policy(self):
        runtime.Runtime(precision="mixed_bfloat16").start(seed=0)
        self.assertEqual(tf.keras.layers.Dense(1).compute_dtype, "bfloat16")

    def test_the_seed_decides_the_weights(self):
        kernels = []
        for seed in (1, 1, 2):
            runtime.Runtime().start(seed=seed)
            layer = tf.keras.layers.Dense(3)
            layer.build([None, 3])
            kernels.append(layer.kernel.numpy())
        self.assertAllEqual(kernels[0], kernels[1])
        self.assertNotAllClose(kernels[0], kernels[2])

    @parameterized.parameters(
        {"strategy": "mirored", "nearest": "mirrored"},
        {"precision": "bfloat16", "nearest": "mixed_bfloat16"},
    )
    def test_unknown_names(self, nearest, **arguments):
        with self.assertRaisesRegex(ValueError, f"{next(iter(arguments.values()))}.*{nearest}"):
            runtime.Runtime(**arguments)

    @parameterized.parameters(
        ("", "No TPU was found on this machine, and none is named"),
        ("no/such/tpu", "No TPU named 'no/such/tpu' answers"),
        ("grpc://127.0.0.1:1", "No TPU named .*127.0.0.1:1.*nothing listens"),
    )
    def test_a_tpu_that_is_not_there(self, name, words):
        with self.assertRaisesRegex(errors.UserError, words):
            runtime.Runtime(strategy="tpu", tpu=name).start(seed=0)

    def test_workers_without_a_cluster(self):
        with self.assertRaisesRegex(errors.UserError, "multi_worker_mirrored.*TF_CONFIG"):
            runtime.Runtime(strategy="multi_worker_mirrored").start(seed=0)

    def test_a_wait_of_no_length(self):
        with self.assertRaisesRegex(ValueError, "wait_minutes=0"):
            runtime.Runtime(wait_minutes=0)


if __name__ == "__main__":
    tf.test.main()
