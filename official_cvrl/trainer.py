# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The outer loop of a run: steps, checkpoints, resume, interruption, summaries, progress."""

import contextlib
import dataclasses
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import orbit
import tensorflow as tf

from official_cvrl import checkpoints, errors, progress, step_profile, workers


class Task(Protocol):
    """What the loop needs of a task; all variables are made before the loop starts."""

    optimizer: Any
    clips_per_step: int
    num_tested: int  # Labelled videos that the last evaluation tells shares of; 0 if it tells none.

    def checkpoint_items(self) -> Mapping[str, Any]:
        """Returns the trackable objects of a checkpoint by name, the optimizer among them."""

    def train_dataset(self, *, start_step: int) -> Any:
        """Returns the (distributed) batches from a step on."""

    def train_step(self, batch: Any) -> Mapping[str, tf.Tensor]:
        """Updates the weights once; called outside the replicas, in a `tf.function`.

        Returns scalars of each replica, means over it.
        """

    def preview(self, batch: Any) -> Mapping[str, tf.Tensor]:
        """Returns pictures of a batch by name, uint8 [count, height, width, 3]."""

    def check_evaluation(self) -> None:
        """Refuses, with UserError, what `evaluate` would only find out after training."""

    def evaluate(self, folder: str) -> Mapping[str, float]:
        """Measures the model as it is now; empty if there is nothing to measure with.

        `folder` is where to write what is more than a number; "" in workers that write nothing.
        """


class Interrupted(Exception):  # noqa: N818 - it is not an error
    """The run stopped before its end; it goes on from its last checkpoint.

    Attributes:
        exit_code: what the process should exit with: 128 + the signal's number, or 75 where
            another worker is gone.
    """

    def __init__(self, message: str, exit_code: int):
        super().__init__(message)
        self.exit_code = exit_code


@dataclasses.dataclass(frozen=True)
class Loop:
    """How a run proceeds.

    Attributes:
        train_steps: updates of the weights in the whole run.
        summary_interval: steps between TensorBoard points, progress updates and looks for NaN.
        checkpoint_interval: steps between checkpoints; one more is written at the end.
        eval_interval: steps between evaluations in mode train_and_eval; 0: only at the end.
        max_to_keep: checkpoints that stay, the newest.

    Raises:
        ValueError: a number that is not whole, or not positive (eval_interval: negative).
    """

    train_steps: int
    summary_interval: int = 10
    checkpoint_interval: int = 500
    eval_interval: int = 0
    max_to_keep: int = 3

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value, least = getattr(self, field.name), int(field.name != "eval_interval")
            if not isinstance(value, int):
                raise ValueError(f"{field.name}={value!r} must be a whole number.")
            if value < least:
                raise ValueError(f"{field.name}={value} must be at least {least}.")


class Trainer:
    """Runs a task's steps on a strategy, from the newest checkpoint of its folder on.

    Args:
        task: see `Task`.
        strategy: the strategy in whose scope the task was built.
        model_dir: where checkpoints are read, and, with summaries, written by the chief worker.
        loop: how the run proceeds.
        profile: whether the chief writes a TensorBoard profile of a few of its steps.
    """

    def __init__(
        self,
        *,
        task: Task,
        strategy: tf.distribute.Strategy,
        model_dir: str,
        loop: Loop,
        profile: bool = False,
    ):
        self._task, self._strategy, self._loop = task, strategy, loop
        self._model_dir = model_dir
        self._workers = workers.Workers(strategy)
        folder = self._workers.folder(model_dir)
        self._profiled_folder = folder if profile and self._workers.this_is_chief else None
        self._step = task.optimizer.iterations
        self._manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(**task.checkpoint_items()), folder, loop.max_to_keep
        )
        self._summaries = {
            split: orbit.utils.SummaryManager(
                os.path.join(folder, split), tf.summary.scalar, global_step=self._step
            )
            for split in ("train", "eval")
        }
        # Tasks are plain TensorFlow; rewriting them as AutoGraph does takes ten seconds.
        self._train_step = tf.function(self._mean_outputs, autograph=False)
        self._preview = tf.function(task.preview, autograph=False)

    def restore(self) -> int:
        """Loads the newest checkpoint of the folder that is whole, if any; returns the step.

        Raises:
            UserError: it does not fit the model, none is whole, or workers find different ones.
        """
        if checkpoints.listed(self._model_dir):
            with self._strategy.scope():
                newest = checkpoints.latest(self._model_dir)
                checkpoints.restore(self._manager.checkpoint, newest)
        step = int(self._step.numpy())
        if np.ptp(self._workers.values(step)):
            raise errors.UserError(
                f"{self._model_dir} has its newest checkpoint at step {step} here and at another "
                "on other workers; --model_dir must be a folder that all of them share."
            )
        return step

    def train(self, *, evaluate: bool, on_begin: Callable[[], None] = lambda: None) -> None:
        """Runs the steps that are left, with checkpoints, and evaluations where asked for.

        Args:
            evaluate: whether to evaluate between the steps, as `loop` says.
            on_begin: called once the batches are made and nothing but the steps is left.

        Raises:
            UserError: the loss is not a number any more, or the disk is full.
            Interrupted: SIGINT or SIGTERM came, here or to another worker, and the checkpoint is
                saved; or another worker is gone.
        """
        start = int(self._step.numpy())
        if start >= self._loop.train_steps:
            on_begin()
            return
        with _StopSignals() as stop, self._lost_workers_told():
            batches = iter(self._task.train_dataset(start_step=start))
            on_begin()
            bar = progress.Progress(
                label="train",
                unit="steps",
                total=self._loop.train_steps,
                done=start,
                each={"clips": self._task.clips_per_step},
            )
            with contextlib.closing(bar):
                self._run_steps(start, batches, bar, stop, evaluate)

    @contextlib.contextmanager
    def _lost_workers_told(self):
        try:
            yield
        except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
            if not self._workers.are_several:
                raise
            raise Interrupted(
                f"another worker of this run is gone (checkpoints are in {self._model_dir}; "
                f"start all workers again): {error.message.splitlines()[-1]}",
                errors.TryAgain.exit_code,
            ) from error

    def evaluate(self) -> Mapping[str, float]:
        """Evaluates the task now and writes the result to the summaries, and what the task writes.

        Evaluations between the steps write to the summaries alone: what is in the run's folder is
        always of one and the same evaluation.
        """
        return self._evaluate(self._model_dir if self._workers.this_is_chief else "")

    def _evaluate(self, folder):
        results = self._task.evaluate(folder)
        self._write("eval", results)
        return results

    def _run_steps(self, start, batches, bar, stop, evaluate):
        meter = _Meter(self._task.clips_per_step)
        with contextlib.closing(self._profile(start)) as profile:
            for step in range(start + 1, self._loop.train_steps + 1):
                with profile.step(step):
                    self._run_step(step, batches, meter)
                self._after_step(step, meter, bar, stop, evaluate)

    def _run_step(self, step, batches, meter):
        with meter.waiting():
            batch = next(batches)
        if step == 1:
            self._write_preview(batch)
        with meter.computing():
            meter.add(step, self._train_step(batch))

    def _profile(self, start):
        steps = step_profile.profiled_steps(start, self._loop.train_steps)
        return step_profile.StepProfile(
            self._profiled_folder, steps if self._profiled_folder else range(0)
        )

    def _after_step(self, step, meter, bar, stop, evaluate):
        last = step == self._loop.train_steps
        due = step % self._loop.checkpoint_interval == 0
        reports = last or due or step % self._loop.summary_interval == 0
        asked_to_stop = self._asked_to_stop(stop, reports)
        saves = last or due or asked_to_stop
        # Before weights are saved the loss is looked at: no checkpoint holds a NaN.
        if saves or reports:
            values = meter.take()
            self._write("train", values)
            bar.update(step, _shown(values))
        elif bar.is_stale():  # Summaries keep their steps, however slow these are.
            bar.update(step, {"loss": f"{meter.newest_loss():.4g}"})
        if saves:
            self._save(step)
        if asked_to_stop:
            raise Interrupted(f"saved at step {step} in {self._model_dir}", stop.exit_code)
        if evaluate and not last and self._evaluation_is_due(step):
            self._evaluate("")

    def _asked_to_stop(self, stop, reports):
        """Whether a signal came; several workers ask each other where they report."""
        if not self._workers.are_several:
            return stop.received is not None
        return bool(reports and self._workers.values(stop.received is not None).any())

    def _evaluation_is_due(self, step):
        return self._loop.eval_interval and step % self._loop.eval_interval == 0

    def _mean_outputs(self, batch):
        outputs = self._task.train_step(batch)
        return {
            name: self._strategy.reduce("MEAN", value, axis=None) for name, value in outputs.items()
        }

    def _save(self, step):
        try:
            self._manager.save(checkpoint_number=step)
        except (tf.errors.OpError, OSError) as error:
            raise errors.UserError(
                f"Step {step} could not be saved in {self._model_dir}: {errors.words(error)}. Free "
                "some space or take another --model_dir; the checkpoint before stays as it was."
            ) from error

    def _write(self, split, values):
        self._summaries[split].write_summaries(dict(values))
        self._summaries[split].flush()

    def _write_preview(self, batch):
        local = tf.nest.map_structure(
            lambda value: self._strategy.experimental_local_results(value)[0], batch
        )
        with self._summaries["train"].summary_writer().as_default(step=0):
            for name, pictures in self._preview(local).items():
                tf.summary.image(name, pictures, max_outputs=len(pictures))


class _Meter:
    """Collects the steps' outputs and times between two reports."""

    def __init__(self, clips_per_step):
        self._clips_per_step = clips_per_step
        self._reset()

    def _reset(self):
        self._steps, self._outputs = [], []
        self._wait = self._compute = 0.0

    def waiting(self):
        return _Stopwatch(lambda seconds: setattr(self, "_wait", self._wait + seconds))

    def computing(self):
        return _Stopwatch(lambda seconds: setattr(self, "_compute", self._compute + seconds))

    def add(self, step, outputs):
        self._steps.append(step)
        self._outputs.append(outputs)

    def newest_loss(self):
        """Returns the last step's loss; waits until it is done."""
        with self.computing():
            return float(self._outputs[-1]["loss"])

    def take(self):
        """Returns the means since the last report, with throughput; refuses a loss of NaN."""
        with self.computing():
            table = {
                name: np.array([float(outputs[name]) for outputs in self._outputs])
                for name in self._outputs[0]
            }
        _refuse_nan(self._steps, table["loss"])
        seconds = self._wait + self._compute
        means = {name: float(values.mean()) for name, values in table.items()}
        means["clips_per_second"] = len(self._steps) * self._clips_per_step / seconds
        means["input_wait_share"] = self._wait / seconds
        self._reset()
        return means


class _Stopwatch:
    """Hands the seconds spent in its block to a function."""

    def __init__(self, report: Callable[[float], None]):
        self._report = report

    def __enter__(self):
        self._start = time.perf_counter()

    def __exit__(self, *unused):
        self._report(time.perf_counter() - self._start)


class _StopSignals:
    """Turns SIGINT and SIGTERM into a wish that the loop reads after each step.

    A second signal acts as it would without this.
    """

    def __init__(self):
        self.received = None
        self._previous = {}

    @property
    def exit_code(self):
        """What a process ends with that stopped for the signal, or for another worker's."""
        return 128 + (self.received or signal.SIGTERM)

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *unused):
        self._restore()

    def _receive(self, number, frame):
        self.received = number
        self._restore()

    def _restore(self):
        for number, handler in self._previous.items():
            signal.signal(number, handler)


def _refuse_nan(steps, losses):
    bad = np.flatnonzero(~np.isfinite(losses))
    if not bad.size:
        return
    raise errors.UserError(
        f"The loss is {losses[bad[0]]} at step {steps[bad[0]]}; the run stops and the last "
        "checkpoint stays. Likely causes: too high a learning rate for this batch size, too short "
        "a warm-up, float16 without loss scaling, or a temperature near 0."
    )


def _shown(values):
    shown = {"loss": f"{values['loss']:.4g}"}
    if "accuracy" in values:
        shown["accuracy"] = f"{values['accuracy']:.1%}"
    shown["input wait"] = f"{values['input_wait_share']:.0%}"
    return shown
