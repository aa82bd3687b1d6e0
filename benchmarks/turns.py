# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Measures contenders in turn, each in a process of its own that stays warm between its turns.

What else the machine does hits neighbouring turns alike, so ratios within a round hold where
absolute numbers do not. Who has no turn is stopped: an input pipeline would fill its buffers.
Nothing but the standard library: a contender may run in an environment of its own.
"""

import dataclasses
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence

ROOT = pathlib.Path(__file__).resolve().parents[1]
_ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_USE_LEGACY_KERAS": "1",
}

Rounds = Sequence[Mapping[str, Mapping[str, float]]]


@dataclasses.dataclass(frozen=True)
class Contender:
    """Something to measure.

    Attributes:
        name: as tables have it.
        module: runs `serve`; it is given `settings` as JSON in its only argument.
        settings: what to measure.
        python: the interpreter.
        environment: variables beside those of this process.
    """

    name: str
    module: str
    settings: Mapping[str, object] = dataclasses.field(default_factory=dict)
    python: str = sys.executable
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)


def alternate(contenders: Sequence[Contender], *, rounds: int) -> Rounds:
    """Returns for each round what each contender measured, by its name.

    Raises:
        RuntimeError: a contender ended.
    """
    # One after the other, so that none warms up while another does.
    workers = [_Worker(contender) for contender in contenders]
    try:
        return [_round(workers, number) for number in range(rounds)]
    finally:
        for worker in workers:
            worker.close()


def _round(workers, number):
    # Every other round runs backwards: nobody always follows the same neighbour.
    in_turn = workers if number % 2 == 0 else reversed(workers)
    measured = {worker.name: worker.measure() for worker in in_turn}
    print(f"round {number + 1}: {json.dumps(measured)}", file=sys.stderr, flush=True)
    return measured


class _Worker:
    def __init__(self, contender):
        self.name = contender.name
        print(f"starting {self.name} …", file=sys.stderr, flush=True)
        self._process = subprocess.Popen(
            [contender.python, "-m", contender.module, json.dumps(dict(contender.settings))],
            cwd=ROOT,
            env=os.environ | _ENVIRONMENT | {"PYTHONPATH": str(ROOT)} | contender.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def measure(self):
        self._process.send_signal(signal.SIGCONT)
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self):
        self._process.send_signal(signal.SIGCONT)
        self._process.stdin.close()
        self._process.wait()

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with code {self._process.wait()}.")
        self._process.send_signal(signal.SIGSTOP)
        return json.loads(line)


def serve(make: Callable[[Mapping], Callable[[], Mapping[str, float]]]) -> None:
    """Runs a contender's process: warms up, then measures once for each line of the input.

    Args:
        make: turns the settings into what is called for each measurement.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # What libraries print must not stand among the answers.
    measure = make(json.loads(sys.argv[1]))
    for answer in _answers(measure):
        print(json.dumps(answer), file=answers, flush=True)


def _answers(measure) -> Iterable[Mapping[str, float]]:
    yield {}
    for _ in sys.stdin:
        yield measure()


def memory(name: str) -> float:
    """Returns a memory size of this process, VmRSS or VmHWM (the peak), in megabytes."""
    lines = pathlib.Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith(f"{name}:"))
    return int(kilobytes) * 1024 / 1e6


def median(rounds: Rounds, name: str, measure: str) -> float:
    """Returns the median over the rounds of what one contender measured."""
    return statistics.median(measured[name][measure] for measured in rounds)


def median_ratio(rounds: Rounds, numerator: str, denominator: str, measure: str) -> float:
    """Returns the median over the rounds of one contender's measure over another's."""
    return statistics.median(
        measured[numerator][measure] / measured[denominator][measure] for measured in rounds
    )
