# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What a person sees while something runs: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Mapping

import tqdm

_SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Shows steps done, rate, time left and the newest values.

    Args:
        total: steps of the whole run.
        done: steps done before this process started.
        label: what is running, in a word or two.
        stream: where to write; a bar is drawn if it is a terminal.
    """

    def __init__(self, *, total: int, done: int = 0, label: str, stream=None):
        self._stream = stream or sys.stderr
        self._total, self._start, self._label = total, done, label
        self._started = self._last_line = time.monotonic()
        self._bar = None
        if self._stream.isatty():
            self._bar = tqdm.tqdm(
                total=total, initial=done, desc=label, file=self._stream, dynamic_ncols=True
            )

    def update(self, done: int, values: Mapping[str, str]) -> None:
        """Shows that `done` steps are done, with the values by name."""
        if self._bar is not None:
            self._bar.set_postfix(values, refresh=False)
            self._bar.update(done - self._bar.n)
        elif done >= self._total or self._line_is_due():
            self._print_line(done, values)

    def close(self) -> None:
        """Ends the bar; what is printed next starts on a line of its own."""
        if self._bar is not None:
            self._bar.close()

    def _line_is_due(self):
        return time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES

    def _print_line(self, done, values):
        self._last_line = time.monotonic()
        rate = (done - self._start) / max(self._last_line - self._started, 1e-9)
        left = (self._total - done) / rate if rate else float("inf")
        shown = ", ".join(f"{name} {value}" for name, value in values.items())
        print(
            f"{self._label}: {done}/{self._total}, {rate:.2f} steps/s, {_clock(left)} left, {shown}",
            file=self._stream,
            flush=True,
        )


class Counter:
    """Shows how many things are done, and the rate, where the total is not known.

    Args:
        label: what is running, in a word or two.
        unit: what is counted.
        stream: where to write; a bar is drawn if it is a terminal.
    """

    def __init__(self, *, label: str, unit: str, stream=None):
        self._label, self._unit, self._stream = label, unit, stream or sys.stderr
        self._started = time.monotonic()
        self._bar = tqdm.tqdm(
            desc=label, unit=f" {unit}", file=self._stream, disable=not self._stream.isatty()
        )
        self._done = 0

    def add(self, count: int) -> None:
        """Counts that many more."""
        self._done += count
        self._bar.update(count)

    def close(self) -> None:
        """Ends the bar, or prints the line that stands for it."""
        self._bar.close()
        if not self._stream.isatty():
            seconds = time.monotonic() - self._started
            print(
                f"{self._label}: {self._done} {self._unit} in {_clock(seconds)}",
                file=self._stream,
                flush=True,
            )


def _clock(seconds):
    if seconds == float("inf"):
        return "?"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
