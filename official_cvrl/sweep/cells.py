# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Cells of a table: for each the runs that fill it, one train.py process after the other."""

import dataclasses
import json
import os
import pathlib
import statistics
import time
from collections.abc import Mapping, Sequence

import tensorflow as tf

from official_cvrl import errors, filesystems, manifest, progress, run_info
from official_cvrl.sweep import processes

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
            UserError: a folder has a run with other settings, another sweep is at work, or a
                results.json in a run's folder is broken.
        """
        os.makedirs(self.output, exist_ok=True)
        self._refuse_other_settings(cells)
        with processes.alone(self.output) as lock:
            found = {cell.row: [] for cell in cells}
            clock = _Clock(left=sum(not self._results(cell) for cell in cells))
            for number, cell in enumerate(cells, start=1):
                said = self._filled(cell, found[cell.row], clock, lock)
                print(f"[{number}/{len(cells)}] {cell.label}: {said}", flush=True)
        return found

    def num_classes(self, cells: Sequence[Cell]) -> int:
        """Returns how many classes the cells' data have; 0 where they differ or do not tell.

        Nor do files that are broken by now: the results are there without them.
        """
        try:
            infos = [run_info.read(self._folder(cell.stages[-1])) for cell in cells]
            folders = {info.data_dir for info in infos if info}
            counts = {len(manifest.read_labels(folder)) for folder in folders}
        except (errors.UserError, OSError, tf.errors.OpError):
            return 0
        return counts.pop() if len(counts) == 1 else 0

    def _filled(self, cell, row, clock, lock):
        """Adds a cell's results to its row; returns what is to be said of it."""
        if results := self._results(cell):
            row.append(results)
            return f"{_shown(results)} (there already)"
        try:
            with clock:
                results = self._fill(cell, lock)
        except Failed as fault:
            return f"FAILED, {fault}"
        row.append(results)
        return f"{_shown(results)} ({clock})"

    def _fill(self, cell, lock):
        """Runs what is left of a cell; returns its results."""
        for stage, before in _with_the_one_before(cell.stages):
            if not run_info.read_results(self._folder(stage)):
                self._train(stage, before, lock)
        if not (results := self._results(cell)):
            folder = os.path.abspath(self._folder(cell.stages[-1]))
            raise Failed(f"{folder} has no results: nothing could be measured there")
        return results

    def _train(self, stage, before, lock):
        folder = self._folder(stage)
        if not os.path.isdir(folder):  # What train.py goes on with it compares itself.
            run_info.write_json(f"{folder}.json", self._settings(stage, before))
        start = [f"run.pretrained = {os.path.abspath(self._folder(before))!r}"] if before else []
        data = [f"--data_dir={self.data_dir}"] if self.data_dir else []
        code = processes.logged(
            [
                *(self.train, f"--gin_file={stage.gin_file}", f"--model_dir={folder}", *data),
                *(f"--gin_param={param}" for param in (*stage.params, *start)),
            ],
            log=f"{folder}.log",
            lock=lock,
        )
        if code:
            raise Failed(f"exit code {code}; {folder}.log ends with: {_end(f'{folder}.log')}")

    def _refuse_other_settings(self, cells):
        """Compares each stage with what its folder was begun with, and with others of its name."""
        planned = {}
        for cell in cells:
            for stage, before in _with_the_one_before(cell.stages):
                asked, folder = self._settings(stage, before), self._folder(stage)
                begun = planned.setdefault(folder, self._begun_with(folder) or asked)
                for name, value in asked.items():
                    if begun.get(name) != value:
                        raise errors.UserError(
                            f"{folder} holds, or is to hold, a run with {name} {begun.get(name)}, "
                            f"not {value}. Give another --output, or remove that folder."
                        )

    def _begun_with(self, folder):
        """What a stage's folder was begun with; None where there is none, or it does not say."""
        path = f"{folder}.json"
        if not (os.path.isdir(folder) and os.path.exists(path)):
            return None
        try:
            with open(path, encoding="utf-8") as file:
                return dict(json.load(file))
        except (OSError, ValueError, TypeError) as error:
            raise errors.UserError(
                f"{path} is broken: {error}. Remove it to take {folder} as it is."
            ) from error

    def _settings(self, stage, before):
        """What a stage's results depend on; the folder may be moved as a whole."""
        return {
            "gin_file": stage.gin_file,
            "params": list(stage.params),
            "start": before.folder if before else "",
            "data_dir": filesystems.absolute(self.data_dir) if self.data_dir else "",
        }

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


def _with_the_one_before(stages):
    return zip(stages, [None, *stages], strict=False)


def _end(log):
    text = pathlib.Path(log).read_text(encoding="utf-8", errors="replace")
    return "\n    ".join(["", *text.splitlines()[-_LINES_SHOWN:]])


def _shown(results):
    return ", ".join(f"{name} {value:.4g}" for name, value in results.items())
