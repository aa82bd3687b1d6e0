# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A TensorBoard profile of a few training steps."""

import contextlib
import shlex
from collections.abc import Iterator

import tensorflow as tf

# The first steps of a process trace, compile and fill buffers.
_WARM_UP = 10
_COUNT = 5


def profiled_steps(start: int, train_steps: int) -> range:
    """Returns which steps are profiled of a run that goes from `start` + 1 to `train_steps`."""
    last = min(start + _WARM_UP + _COUNT, train_steps)
    return range(max(start, last - _COUNT) + 1, last + 1)


class StepProfile:
    """Records what TensorFlow does in some steps.

    Args:
        folder: of the run, where `tensorboard --logdir` looks; written to plugins/profile/.
        steps: which, one after the other; an empty range records nothing.
    """

    def __init__(self, folder: str, steps: range):
        self._folder, self._steps = folder, steps
        self._running = False

    @contextlib.contextmanager
    def step(self, number: int) -> Iterator[None]:
        """Everything of one step, its wait for input too, is done in this block."""
        if number not in self._steps:
            yield
            return
        if not self._running:
            tf.profiler.experimental.start(self._folder)
            self._running = True
        with tf.profiler.experimental.Trace("train", step_num=number, _r=1):
            yield
        if number == self._steps[-1]:
            self.close()

    def close(self) -> None:
        """Writes what was recorded, if anything."""
        if not self._running:
            return
        self._running = False
        tf.profiler.experimental.stop()
        print(
            f"\nProfile of steps up to {self._steps[-1]}: {self._folder}/plugins/profile "
            "(pip install tensorboard-plugin-profile; "
            f"tensorboard --logdir={shlex.quote(self._folder)})",
            flush=True,
        )
