# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Runs train.py for each row of a study and seed, and draws the table of what came out."""

import dataclasses
import itertools
import json
import os
import pathlib
import platform
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

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
        """Runs everything and returns the results as Markdown, also written to results.md."""
        lines = [
            f"| backbone | {' | '.join(_MEASURES.values())} |",
            f"|---|{'---|' * len(_MEASURES)}",
        ]
        results = self._results(rows)
        for row in rows:
            of_seeds = [results[row.name, seed] for seed in range(self.num_seeds)]
            shown = (_mean_and_spread([r.get(name) for r in of_seeds]) for name in _MEASURES)
            lines.append(f"| {row.name} | {' | '.join(shown)} |")
        command = f"python -m {_module()} {shlex.join(sys.argv[1:])}"
        machine = f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} CPUs ({_processor()})"
        text = "\n".join([f"`{command}`, {machine}:", "", *lines])
        pathlib.Path(self.output, "results.md").write_text(text + "\n")
        return text

    def _results(self, rows):
        """Seed after seed, so that what is there when it is stopped is every row's."""
        cells, start = list(itertools.product(range(self.num_seeds), rows)), time.monotonic()
        results = {}
        for done, (seed, row) in enumerate(cells, start=1):
            found = results[row.name, seed] = self._run(row, seed)
            measures = ", ".join(
                f"{_MEASURES[k]} {v:.1%}" for k, v in found.items() if k in _MEASURES
            )
            left = (time.monotonic() - start) / done * (len(cells) - done)
            told = f"{done}/{len(cells)} {row.name}, seed {seed}: {measures}"
            print(f"{told}; {left / 60:.0f} min left", flush=True)
        return results

    def _run(self, row, seed) -> Mapping[str, float]:
        stem = os.path.join(self.output, f"{row.name.replace(' ', '_')}_{seed}")
        common = [f"SEED = {seed}", *row.params]
        start = ""
        if row.pretrained:
            start = os.path.abspath(f"{stem}_pretrain")
            self._train(
                "pretrain.gin", start, [*common, *row.pretrain_params, *self.pretrain_params]
            )
        linear = f"{stem}_linear"
        self._train("linear_eval.gin", linear, [*common, f"run.pretrained = {start!r}"])
        with open(os.path.join(linear, "results.json"), encoding="utf-8") as file:
            return json.load(file)

    def _train(self, gin_file, model_dir, params):
        if not os.path.exists(os.path.join(model_dir, "results.json")):
            run(
                *("train.py", f"--gin_file={gin_file}", f"--data_dir={self.data_dir}"),
                *(f"--model_dir={model_dir}", *(f"--gin_param={param}" for param in params)),
            )


def run(*arguments: str) -> None:
    """Says and runs a command of the project.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    print(f"$ python {shlex.join(arguments)}", flush=True)
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True)


def _mean_and_spread(values):
    if None in values:
        return "–"  # Trained backbones have no kNN probe.
    mean = f"{statistics.mean(values):.1%}"
    return f"{mean} ± {statistics.stdev(values):.1%}" if len(values) > 1 else mean


def _module():
    return f"benchmarks.{pathlib.Path(sys.argv[0]).stem}"


def _processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.machine()
