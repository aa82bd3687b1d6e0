# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What a run stands on: the distribution strategy, the precision, the seeds."""

import dataclasses
import os

import tensorflow as tf

from official_cvrl import errors

STRATEGIES = ("auto", "one_device", "mirrored", "multi_worker_mirrored", "tpu")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16", "float64")


@dataclasses.dataclass(frozen=True)
class Runtime:
    """How a run uses the machine.

    Attributes:
        strategy: "auto" takes what is there: the TPU that TPU_NAME names, the workers of TF_CONFIG,
            a mirrored strategy over all GPUs where there are several, else one device. "mirrored"
            uses every GPU, or every logical CPU device where there is none.
            "multi_worker_mirrored" reads TF_CONFIG; "tpu" connects to `tpu`.
        precision: "float32", "mixed_bfloat16", "mixed_float16" (with loss scaling) or "float64".
        tpu: name or grpc:// address of the TPU; "" for the one of this host.
        deterministic: the same numbers bit by bit from run to run, at some cost in speed.

    Raises:
        ValueError: a strategy or precision of another name.
    """

    strategy: str = "auto"
    precision: str = "float32"
    tpu: str = ""
    deterministic: bool = False

    def __post_init__(self):
        _check_choice("strategy", self.strategy, STRATEGIES)
        _check_choice("precision", self.precision, PRECISIONS)

    def start(self, *, seed: int) -> tf.distribute.Strategy:
        """Seeds TensorFlow, sets the precision, and makes the strategy.

        Args:
            seed: of the weights' initialisation; data randomness takes its own arguments.

        Raises:
            UserError: the devices that the strategy needs are not there.
        """
        tf.keras.utils.set_random_seed(seed)
        if self.deterministic:
            tf.config.experimental.enable_op_determinism()
        tf.keras.mixed_precision.set_global_policy(self.precision)
        return self._make_strategy()

    def chosen(self) -> str:
        """Returns the strategy's name, "auto" resolved as far as the environment tells."""
        if self.strategy != "auto":
            return self.strategy
        if self.tpu or os.environ.get("TPU_NAME"):
            return "tpu"
        cluster = tf.distribute.cluster_resolver.TFConfigClusterResolver().cluster_spec().as_dict()
        several = sum(len(cluster.get(job, ())) for job in ("chief", "worker")) > 1
        return "multi_worker_mirrored" if several else "auto"

    def _make_strategy(self):
        chosen = self.chosen()
        if chosen == "multi_worker_mirrored":
            # Before devices are listed: that starts them, and then no other worker can join.
            return tf.distribute.MultiWorkerMirroredStrategy()
        if chosen == "tpu":
            return _tpu_strategy(self.tpu)
        gpus = tf.config.list_logical_devices("GPU")
        if chosen == "mirrored" or (chosen == "auto" and len(gpus) > 1):
            devices = gpus or tf.config.list_logical_devices("CPU")
            return tf.distribute.MirroredStrategy([device.name for device in devices])
        return tf.distribute.OneDeviceStrategy("/gpu:0" if gpus else "/cpu:0")


def _check_choice(name, value, choices):
    if value not in choices:
        raise ValueError(f"{name}={value!r} must be one of {', '.join(choices)}.")


def _tpu_strategy(tpu):
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, tf.errors.OpError, RuntimeError) as error:
        raise errors.UserError(
            f'No TPU named {tpu!r} answers ({error}). Name it with --gin_param="Runtime.tpu='
            "'NAME or grpc://ADDRESS:PORT'\", or bind Runtime.strategy = 'auto'."
        ) from error
    return tf.distribute.TPUStrategy(resolver)
