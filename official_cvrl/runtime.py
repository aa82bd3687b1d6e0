# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What a run stands on: the distribution strategy, the precision, the seeds."""

import dataclasses
import os

import tensorflow as tf

from official_cvrl import cluster, errors

STRATEGIES = ("auto", "one_device", "mirrored", "multi_worker_mirrored", "tpu")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16", "float64")
_OF_ACCELERATORS = ("mixed_bfloat16", "mixed_float16")

_GRPC = "grpc://"


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
        wait_minutes: how long to wait at the start for the other workers of TF_CONFIG.

    Raises:
        ValueError: a strategy or precision of another name; a wait that is not positive.
    """

    strategy: str = "auto"
    precision: str = "float32"
    tpu: str = ""
    deterministic: bool = False
    wait_minutes: float = 15.0

    def __post_init__(self):
        _check_choice("strategy", self.strategy, STRATEGIES)
        _check_choice("precision", self.precision, PRECISIONS)
        if not self.wait_minutes > 0:
            raise ValueError(f"wait_minutes={self.wait_minutes} must be positive.")

    def start(self, *, seed: int) -> tf.distribute.Strategy:
        """Seeds TensorFlow, sets the precision, and makes the strategy.

        Args:
            seed: of the weights' initialisation; data randomness takes its own arguments.

        Raises:
            UserError: the devices that the strategy needs are not there, or TF_CONFIG is wrong.
            TryAgain: another worker does not come.
            ValueError: the seed is negative or has more than 32 bits.
        """
        if not 0 <= seed < 2**32:
            raise ValueError(f"seed={seed} must be 0 to {2**32 - 1}.")
        tf.keras.utils.set_random_seed(seed)
        if self.deterministic:
            tf.config.experimental.enable_op_determinism()
        tf.keras.mixed_precision.set_global_policy(self.precision)
        return self._make_strategy()

    def devices(self, strategy: tf.distribute.Strategy) -> str:
        """Returns what a strategy of this runtime computes on, as a line to be read."""
        kind = tf.DeviceSpec.from_string(strategy.extended.worker_devices[0]).device_type
        line = f"Devices: {strategy.num_replicas_in_sync} {kind}"
        if kind != "CPU" or self.precision not in _OF_ACCELERATORS:
            return line
        return (
            f"{line}. There is no GPU or TPU here, which Runtime.precision = {self.precision!r} is "
            "for: this may take very long. pretrain.gin and linear_eval.gin are sized for a CPU."
        )

    def chosen(self) -> str:
        """Returns the strategy's name, "auto" resolved as far as the environment tells."""
        if self.strategy != "auto":
            return self.strategy
        if self.tpu or os.environ.get("TPU_NAME"):
            return "tpu"
        found = cluster.from_environment()
        return "multi_worker_mirrored" if found and found.others else "auto"

    def _make_strategy(self):
        chosen = self.chosen()
        if chosen == "multi_worker_mirrored":
            # Before devices are listed: that starts them, and then no other worker can join.
            cluster.wait_for_others(_named_cluster(), minutes=self.wait_minutes)
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


def _named_cluster():
    found = cluster.from_environment()
    if found is None:
        raise errors.UserError(
            "Runtime.strategy = 'multi_worker_mirrored' needs TF_CONFIG in the environment, which "
            "says which machines take part (docs/distributed.md); without it this one would train "
            "alone. On one machine leave Runtime.strategy out: it takes all GPUs there are."
        )
    return found


def _tpu_strategy(tpu):
    name = tpu or os.environ.get("TPU_NAME", "")
    try:
        # TensorFlow would wait for an address forever.
        if name.startswith(_GRPC) and not cluster.answers(name.removeprefix(_GRPC)):
            raise ConnectionError("nothing listens there")
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, OSError, tf.errors.OpError, RuntimeError) as error:
        found = (
            f"No TPU named {name!r} answers ({error}). Name another with"
            if name
            else "No TPU was found on this machine, and none is named. Name one with TPU_NAME or"
        )
        raise errors.UserError(
            f"{found} --gin_param=\"Runtime.tpu = 'NAME or grpc://ADDRESS:PORT'\", or train "
            "without: --gin_param=\"Runtime.strategy = 'mirrored'\"."
        ) from error
    return tf.distribute.TPUStrategy(resolver)
