# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The processes of one run on several machines: who writes, and what they find out together."""

import atexit
import dataclasses
import shutil
import tempfile

import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Workers:
    """The worker processes of a strategy.

    Attributes:
        strategy: the run's strategy.
    """

    strategy: tf.distribute.Strategy

    @property
    def are_several(self) -> bool:
        """Whether other processes take part, which make the same calls in the same order."""
        return sum(len(self._cluster.get(job, ())) for job in ("chief", "worker")) > 1

    @property
    def this_is_chief(self) -> bool:
        """Whether this process is the one that writes to the run's folder."""
        if not self.are_several:
            return True
        resolver = self.strategy.cluster_resolver
        return resolver.task_type == "chief" or (
            "chief" not in self._cluster and resolver.task_id == 0
        )

    def folder(self, model_dir: str) -> str:
        """Returns where this process writes: the run's folder, or one that is removed at the end.

        All workers go through the same motions, because variables are read together.
        """
        if self.this_is_chief:
            return model_dir
        scratch = tempfile.mkdtemp(prefix="cvrl-worker-")
        atexit.register(shutil.rmtree, scratch, ignore_errors=True)
        return scratch

    def values(self, value: int) -> np.ndarray:
        """Returns what every replica's worker calls this with, int64 [num_replicas].

        Raises:
            tf.errors.OpError: a worker is gone.
        """
        if not self.are_several:
            return np.array([value])
        own = self.strategy.experimental_distribute_values_from_function(
            lambda _: tf.constant([value], tf.int64)
        )
        return self.strategy.gather(own, axis=0).numpy()

    @property
    def _cluster(self):
        if not isinstance(self.strategy, tf.distribute.MultiWorkerMirroredStrategy):
            return {}
        return self.strategy.cluster_resolver.cluster_spec().as_dict()
