# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Cells of a table: for each the runs that fill it, one train.py process after the other."""

import contextlib
import dataclasses
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

from official_cvrl import progress, run_info

TRAIN = str(pathlib.Path(__file__).resolve().parents[2] / "train.py")
_LINES_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class Stage:
    """One run of train.py.

    Attributes:
        gin_file: what it trains.
        folder: of the run, in that of the sweep. Stages of several cells that are one and the same
            run have one folder.
        params: its bindings.
    """

    gin_file: str
    folder: str
    params: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class Cell:
    """What is measured once.

    Attributes:
        row: of the table; the cells of one row are averaged.
        label: what it is called while it runs.
        stages: its runs. Each but the first begins with the backbone of the one before; the last
            one's results are the cell's.
    """

    row: str
    label: str
    stages: Sequence[Stage]


class Failed(Exception):  # noqa: N818 - it is told, not raised to the user
    """A run ended with a fault; the message says which and where its log is."""


@dataclasses.dataclass(frozen=True)
class Sweep:
    """Runs cells; what is finished is passed over, and what was begun goes on.

    Attributes:
        output: folder of the runs, with their logs beside them.
        data_dir: folder of shards; "" for the embedded data.
        train: path of train.py, or of another script with its flags.
    """

    output: str
    data_dir: str = ""
    train: str = TRAIN

    def run(self, cells: Sequence[Cell]) -> Mapping[str, Sequence[Mapping[str, float]]]:
        """Runs every cell and says a line of each; one that fails does not keep the others.

        Returns:
            The cells' results by row; those of a row that failed wholly are an empty list.

        Raises:
            UserError: a results.json in a run's folder is broken.
        """
        found = {cell.row: [] for cell in cells}
        clock = _Clock(left=sum(not self._results(cell) for cell in cells))
        for number, cell in enumerate(cells, start=1):
            said = self._filled(cell, found[cell.row], clock)
            print(f"[{number}/{len(cells)}] {cell.label}: {said}", flush=True)
        return found

    def _filled(self, cell, row, clock):
        """Adds a cell's results to its row; returns what is to be said of it."""
        if results := self._results(cell):
            row.append(results)
            return f"{_shown(results)} (there already)"
        try:
            with clock:
                results = self._fill(cell)
        except Failed as fault:
            return f"FAILED, {fault}"
        row.append(results)
        return f"{_shown(results)} ({clock})"

    def _fill(self, cell):
        """Runs what is left of a cell; returns its results."""
        start = ""
        for stage in cell.stages:
            self._train(stage, start)
            start = os.path.abspath(self._folder(stage))
        if not (results := self._results(cell)):
            raise Failed(f"{start} has no results: nothing could be measured there")
        return results

    def _train(self, stage, pretrained):
        folder = self._folder(stage)
        if run_info.read_results(folder):
            return
        params = [*stage.params, *([f"run.pretrained = {pretrained!r}"] if pretrained else [])]
        data = [f"--data_dir={self.data_dir}"] if self.data_dir else []
        code = _logged(
            [
                *(self.train, f"--gin_file={stage.gin_file}", f"--model_dir={folder}", *data),
                *(f"--gin_param={param}" for param in params),
            ],
            log=f"{folder}.log",
        )
        if code:
            raise Failed(f"exit code {code}; {folder}.log ends with: {_end(f'{folder}.log')}")

    def _results(self, cell):
        return run_info.read_results(self._folder(cell.stages[-1]))

    def _folder(self, stage):
        return os.path.join(self.output, stage.folder)


class _Clock:
    """Measures cells, and says how long the rest will take at their pace."""

    def __init__(self, *, left):
        self._left, self._seconds = left, []

    def __enter__(self):
        self._begun = time.monotonic()

    def __exit__(self, *unused):
        self._left -= 1
        self._seconds.append(time.monotonic() - self._begun)

    def __str__(self):
        left = self._left * statistics.mean(self._seconds)
        return f"{progress.clock(self._seconds[-1])}, {progress.clock(left)} left"


def _logged(arguments: Sequence[str], *, log: str) -> int:
    """Runs a Python script with its words in a file; returns the exit code.

    A signal that ends this process ends that one first, once, so that it saves a checkpoint: in a
    session of its own a terminal's Ctrl-C does not reach it a second time.
    """
    os.makedirs(os.path.dirname(os.path.abspath(log)), exist_ok=True)
    command = [sys.executable, *arguments]
    with open(log, "ab") as file, _signals_as_interruption():
        child = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
        try:
            return child.wait()
        except KeyboardInterrupt:
            print(f"Waiting for a checkpoint of {log.removesuffix('.log')} …", flush=True)
            child.terminate()
            child.wait()
            raise


@contextlib.contextmanager
def _signals_as_interruption() -> Iterator[None]:
    def interrupt(number, frame):
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, interrupt) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _end(log):
    text = pathlib.Path(log).read_text(encoding="utf-8", errors="replace")
    return "\n    ".join(["", *text.splitlines()[-_LINES_SHOWN:]])


def _shown(results):
    return ", ".join(f"{name} {value:.4g}" for name, value in results.items())
