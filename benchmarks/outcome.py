# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Writes what a benchmark found: goals with what was reached, as Markdown and as JSON."""

import dataclasses
import json
import os
import pathlib
import platform
import shlex
import sys
import time
from collections.abc import Mapping, Sequence

from official_cvrl import outputs


@dataclasses.dataclass(frozen=True)
class Goal:
    """A number to be reached.

    Attributes:
        name: what it is a number of.
        reached: what was measured.
        bound: what it has to be.
        at_least: whether `bound` is the least, or else the most.
    """

    name: str
    reached: float
    bound: float
    at_least: bool = True

    @property
    def met(self) -> bool:
        """Whether it was reached."""
        return self.reached >= self.bound if self.at_least else self.reached <= self.bound

    def row(self) -> Sequence[str]:
        """Returns its row of the table of goals."""
        bound = f"{'≥' if self.at_least else '≤'} {self.bound:g}"
        return (self.name, f"{self.reached:.2f}", bound, "yes" if self.met else "**no**")


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Returns a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def write(
    output: str, name: str, *, tables: Sequence[str], goals: Sequence[Goal], raw: Mapping
) -> None:
    """Prints tables and goals, and writes them to NAME.md and, with the raw numbers, NAME.json."""
    folder = pathlib.Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    goals_table = table(["goal", "measured", "bound", "met"], [goal.row() for goal in goals])
    facts = {
        "command": command(name, sys.argv[1:]),
        "date": time.strftime("%Y-%m-%d"),
        "machine": _machine(),
    }
    title = f"`{facts['command']}`, {facts['date']}, {facts['machine']}:"
    text = "\n\n".join([title, *tables, *([goals_table] if goals else [])]) + "\n"
    (folder / f"{name}.md").write_text(text, encoding="utf-8")
    found = facts | {"goals": [dataclasses.asdict(g) | {"met": g.met} for g in goals], "raw": raw}
    # Whole or not at all: what is there counts as measured.
    with outputs.whole_file(str(folder / f"{name}.json")) as file:
        file.write(f"{json.dumps(found, indent=2)}\n".encode())
    print(text, flush=True)


def command(name: str, arguments: Sequence[str]) -> str:
    """Returns the command line of a benchmark."""
    return shlex.join(["python", "-m", f"benchmarks.{name}", *arguments])


def _machine():
    cpus = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    names = [line.split(":")[1].strip() for line in cpus.splitlines() if "model name" in line]
    bfloat16 = ", AVX512-BF16" if "avx512_bf16" in cpus else ""
    return f"{os.cpu_count()} CPUs ({(names or [platform.machine()])[0]}{bfloat16})"
