# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Trains the rows of a study, several seeds each, and probes the backbones that come out."""

import dataclasses
import json
import os
import pathlib
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence

from official_cvrl import errors
from official_cvrl.probe import results
from official_cvrl.sweep import bindings, cells

ROOT = pathlib.Path(__file__).resolve().parents[1]


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of a study: a way to get a backbone.

    Attributes:
        name: as the table has it.
        gin_files: what is trained, each beginning with the backbone of the one before; the last
            one's is probed.
        params: bindings for the first of them.
        length: its pre-training has so many times the study's steps.
    """

    name: str
    gin_files: Sequence[str] = ("pretrain.gin",)
    params: Sequence[str] = ()
    length: int = 1


@dataclasses.dataclass(frozen=True)
class Study:
    """Trains and probes rows; what is done is passed over.

    Attributes:
        data_dir: folder of shards with splits train and test.
        output: folder of the runs.
        pretrain_steps: steps of all that pretrain.gin trains.
        pretrain_params: further bindings for that.
        num_seeds: runs of each row, with seeds 0, 1, …
    """

    data_dir: str
    output: str
    pretrain_steps: int
    pretrain_params: Sequence[str]
    num_seeds: int

    def run(self, rows: Sequence[Row]) -> Mapping[str, Sequence[Mapping[str, float]]]:
        """Returns the probes' measures by row, a seed after the other.

        Raises:
            UserError: a binding stands for nothing, or a run or probe failed; the same command goes
                on from there.
        """
        planned = self.planned(rows)
        bindings.refuse(planned)
        trained = cells.Sweep(self.output, data_dir=self.data_dir).run(planned)
        if sum(map(len, trained.values())) < len(planned):
            raise errors.UserError(f"Runs failed; what they said is in {self.output}/*.log.")
        found = {row.name: [] for row in rows}
        for cell in planned:
            found[cell.row].append(self._probed(cell.stages[-1].folder))
        return found

    def planned(self, rows: Sequence[Row]) -> Sequence[cells.Cell]:
        """Returns the runs of all rows.

        Seed after seed, so that what is there when they are stopped is every row's.
        """
        return [self._cell(row, seed) for seed in range(self.num_seeds) for row in rows]

    def _cell(self, row, seed):
        stem = f"{row.name.replace(' ', '_')}_{seed}"
        stages = []
        for number, gin_file in enumerate(row.gin_files):
            params = [f"SEED = {seed}"]
            if gin_file == "pretrain.gin":
                steps = self.pretrain_steps * row.length
                params += [f"TRAIN_STEPS = {steps}", *self.pretrain_params]
            if number == 0:  # Behind what all have: what makes the row stays.
                params += row.params
            folder = f"{stem}_{gin_file.removesuffix('.gin')}"
            stages.append(cells.Stage(gin_file, folder, params))
        return cells.Cell(row.name, f"{row.name}, seed {seed}", stages)

    def _probed(self, folder):
        run_dir = os.path.abspath(os.path.join(self.output, folder))
        # Of its own: in RUN/probe may be what somebody asked for otherwise.
        output = f"{run_dir}_probe"
        written = pathlib.Path(output, results.JSON)
        if not written.exists():
            asked = (f"--model_dir={run_dir}", f"--data_dir={self.data_dir}", f"--output={output}")
            try:
                run("-m", "official_cvrl.probe", *asked, "--measures=knn,linear")
            except subprocess.CalledProcessError as error:
                raise errors.UserError(f"{run_dir} could not be probed, see above.") from error
        return json.loads(written.read_text(encoding="utf-8"))["measures"]


def run(*arguments: str) -> None:
    """Says and runs a command of the project.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    print(f"$ python {shlex.join(arguments)}", flush=True)
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True)
