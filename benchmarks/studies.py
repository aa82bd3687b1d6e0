# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Runs train.py for each row of a study and seed, and draws the table of what came out."""

import dataclasses
import os
import pathlib
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence

from official_cvrl import errors
from official_cvrl.sweep import cells, table

ROOT = pathlib.Path(__file__).resolve().parents[1]
_MEASURES = {"knn_top1": "kNN top-1", "top1": "linear top-1"}


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of a study: a way to get a backbone.

    Attributes:
        name: as the table has it.
        pretrained: whether pretrain.gin comes first; False evaluates random weights.
        params: bindings for pretraining and evaluation alike.
        pretrain_params: bindings for pre-training alone.
    """

    name: str
    pretrained: bool = True
    params: Sequence[str] = ()
    pretrain_params: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class Study:
    """Pre-trains and evaluates rows; runs that are done are passed over.

    Attributes:
        data_dir: folder of shards with splits train and test.
        output: folder of the runs.
        pretrain_params: bindings for pre-training alone.
        num_seeds: runs of each row, with seeds 0, 1, …
    """

    data_dir: str
    output: str
    pretrain_params: Sequence[str]
    num_seeds: int

    def table(self, rows: Sequence[Row]) -> str:
        """Runs everything and returns the results as Markdown, also written to results.md.

        Raises:
            UserError: a run failed; the same command goes on from there.
        """
        # Seed after seed, so that what is there when it is stopped is every row's.
        planned = [self._cell(row, seed) for seed in range(self.num_seeds) for row in rows]
        found = cells.Sweep(self.output, data_dir=self.data_dir).run(planned)
        if sum(map(len, found.values())) < len(planned):
            raise errors.UserError(f"Runs failed; what they said is in {self.output}/*.log.")
        command = f"python -m {_module()} {shlex.join(sys.argv[1:])}"
        machine = f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} CPUs ({_processor()})"
        lines = table.markdown(found, first="backbone", columns=[*_MEASURES], titles=_MEASURES)
        text = f"`{command}`, {machine}:\n\n{lines}"
        pathlib.Path(self.output, "results.md").write_text(text + "\n")
        return text

    def _cell(self, row, seed):
        stem = f"{row.name.replace(' ', '_')}_{seed}"
        common = [f"SEED = {seed}", *row.params]
        stages = []
        if row.pretrained:
            own = [*common, *row.pretrain_params, *self.pretrain_params]
            stages.append(cells.Stage("pretrain.gin", f"{stem}_pretrain", own))
        else:
            common.append("run.pretrained = ''")
        stages.append(cells.Stage("linear_eval.gin", f"{stem}_linear", common))
        return cells.Cell(row.name, f"{row.name}, seed {seed}", stages)


def run(*arguments: str) -> None:
    """Says and runs a command of the project.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    print(f"$ python {shlex.join(arguments)}", flush=True)
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True)


def _module():
    return f"benchmarks.{pathlib.Path(sys.argv[0]).stem}"


def _processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.machine()
