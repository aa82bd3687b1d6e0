# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Runs requests of several clients as one: concatenated on dimension 0, split again.

As TensorFlow Serving's batching session does: requests that ask the same outputs of the same
signature share a batch; if one of them cannot be run, none of the batch is answered.
"""

import dataclasses
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tests.serving.model_server import status

Tensors = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Parameters:
    """Those of a batching.config that matter here; see TensorFlow Serving's batching guide."""

    max_batch_size: int
    batch_timeout_micros: int
    num_batch_threads: int = 2
    max_enqueued_batches: int = 8
    allowed_batch_sizes: Sequence[int] = ()


@dataclasses.dataclass
class _Task:
    inputs: Tensors
    rows: int
    done: threading.Event = dataclasses.field(default_factory=threading.Event)
    answer: Tensors | Exception | None = None


class Batcher:
    """Collects requests to one signature and runs them.

    Args:
        run: answers a batch.
        parameters: how long to collect, and how much.
    """

    def __init__(self, run: Callable[[Tensors], Tensors], parameters: Parameters):
        self._run, self._parameters = run, parameters
        self._waiting = queue.Queue(parameters.max_enqueued_batches * parameters.max_batch_size)
        self._left_over: list[_Task] = []
        self._collecting = threading.Lock()
        self.sizes: list[int] = []
        for _ in range(parameters.num_batch_threads):
            threading.Thread(target=self._work, daemon=True).start()

    def __call__(self, inputs: Tensors) -> Tensors:
        """Answers one request.

        Raises:
            status.Error: the queue is full, the request too large, or the batch failed.
        """
        (rows,) = {len(values) for values in inputs.values()}
        if rows > self._parameters.max_batch_size:
            raise status.Error(
                "INVALID_ARGUMENT",
                f"Task size {rows} is larger than maximum input batch size "
                f"{self._parameters.max_batch_size}",
            )
        task = _Task(inputs, rows)
        try:
            self._waiting.put_nowait(task)
        except queue.Full:
            raise status.Error("UNAVAILABLE", "The batch scheduling queue is full") from None
        task.done.wait()
        if isinstance(task.answer, Exception):
            raise task.answer
        return task.answer

    def _work(self):
        while True:
            with self._collecting:
                tasks = self._collect()
            try:
                answers = self._answer(tasks)
            except Exception as error:
                answers = [error] * len(tasks)
            for task, answer in zip(tasks, answers, strict=True):
                task.answer = answer
                task.done.set()

    def _collect(self):
        tasks = [self._left_over.pop() if self._left_over else self._waiting.get()]
        end = time.monotonic() + self._parameters.batch_timeout_micros / 1e6
        while sum(task.rows for task in tasks) < self._parameters.max_batch_size:
            try:
                task = self._waiting.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                break
            if sum(one.rows for one in tasks) + task.rows > self._parameters.max_batch_size:
                self._left_over.append(task)
                break
            tasks.append(task)
        return tasks

    def _answer(self, tasks):
        names = tasks[0].inputs
        merged = {name: _merge(name, [task.inputs[name] for task in tasks]) for name in names}
        rows = sum(task.rows for task in tasks)
        self.sizes.append(rows)
        allowed = [size for size in self._parameters.allowed_batch_sizes if size >= rows]
        padded = {name: _pad(values, min(allowed, default=rows)) for name, values in merged.items()}
        outputs = self._run(padded)
        ends = np.cumsum([task.rows for task in tasks])
        return [
            {name: values[end - task.rows : end] for name, values in outputs.items()}
            for task, end in zip(tasks, ends, strict=True)
        ]


def _merge(name, tensors):
    if len({values.shape[1:] for values in tensors}) > 1:
        raise status.Error(
            "FAILED_PRECONDITION",
            f"Tensors with name '{name}' from different tasks have different shapes and padding is "
            "turned off. Set pad_variable_length_inputs to true, or ensure that all tensors with "
            "the same name have equal dimensions starting with the first dim.",
        )
    return np.concatenate(tensors)


def _pad(values, rows):
    """Fills up to an allowed size with the first row, whose answers are thrown away."""
    return np.concatenate([values, np.repeat(values[:1], rows - len(values), axis=0)])
