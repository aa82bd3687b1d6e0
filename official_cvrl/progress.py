# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What a person sees while something runs: a bar on a terminal, plain lines elsewhere."""

import collections
import statistics
import sys
import threading
import time
from collections.abc import Mapping
from typing import TextIO

import tqdm

_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_UNTIL_STALE = 30.0
# The rate is the median over so many spans: an evaluation in between does not move it.
_SPANS_REMEMBERED = 15
# What several threads do comes in bursts: a span holds more than one.
_SECONDS_OF_A_SPAN = 1.0
_BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}{unit} [{elapsed}{postfix}]"
_COUNT = "{desc}: {n_fmt}{unit} [{elapsed}{postfix}]"


class Progress:
    """Shows how much is done, the rate, the time left and the newest values.

    Args:
        label: what is running, in a word or two.
        unit: what is counted, in the plural.
        total: how many there are; None if that is not known.
        done: how many were done before this process started.
        each: what one of them holds, such as 64 "clips"; told as a rate, too.
        stream: where to write, standard error by default; a bar is drawn if it is a terminal.
        quiet: whether to show nothing at all.
    """

    def __init__(
        self,
        *,
        label: str,
        unit: str,
        total: int | None = None,
        done: int = 0,
        each: Mapping[str, float] | None = None,
        stream: TextIO | None = None,
        quiet: bool = False,
    ):
        self._stream = stream or sys.stderr
        self._label, self._unit, self._total = label, unit, total
        self._counted = {unit: 1, **(each or {})}
        self._done = self._shown = done
        self._last_line = self._last_update = self._span_began = time.monotonic()
        self._done_before_span = done
        self._paces = collections.deque(maxlen=_SPANS_REMEMBERED)
        self._lock = threading.Lock()
        self._bar, self._quiet = None, quiet
        if self._stream.isatty() and not quiet:
            self._bar = tqdm.tqdm(
                total=total,
                initial=done,
                desc=label,
                unit=f" {unit}",
                # Rates and the time left are ours, of one and the same span.
                bar_format=_BAR if total else _COUNT,
                file=self._stream,
                dynamic_ncols=True,
            )

    def add(self, count: int) -> None:
        """Says that so many more are done, or have to be done again, if negative; in any thread."""
        with self._lock:
            self.update(self._done + count)

    def update(self, done: int, values: Mapping[str, str] | None = None) -> None:
        """Says how much is done now, with the newest values by name."""
        self._note_pace(done)
        self._done, self._last_update = done, time.monotonic()
        if self._bar is not None:
            self._bar.set_postfix_str(", ".join(self._facts(values or {})), refresh=False)
            self._bar.update(done - self._bar.n)
        elif done == self._total or self._line_is_due():
            self._print_line(values or {})

    def is_stale(self) -> bool:
        """Whether nothing was told for half a minute, so that a person asks if anything happens."""
        return time.monotonic() - self._last_update >= _SECONDS_UNTIL_STALE

    def close(self) -> None:
        """Ends the bar, or prints the last line; what comes next starts on a line of its own."""
        if self._bar is not None:
            self._bar.close()
        elif self._shown != self._done:
            if not self._paces:
                self._end_span(self._done)
            self._print_line({})

    def _line_is_due(self):
        return time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES

    def _note_pace(self, done):
        """Ends the span if it is long enough, or something has to be done again."""
        units, seconds = done - self._done_before_span, time.monotonic() - self._span_began
        is_long = seconds >= _SECONDS_OF_A_SPAN or done == self._total
        if units < 0 or (units and is_long):
            self._end_span(done)

    def _end_span(self, done):
        """Remembers the seconds that a unit took in the span that ends now."""
        units, now = done - self._done_before_span, time.monotonic()
        if units > 0:
            self._paces.append((now - self._span_began) / units)
        self._done_before_span, self._span_began = done, now

    def _print_line(self, values):
        self._last_line, self._shown = time.monotonic(), self._done
        if self._quiet:
            return
        of = f"/{self._total}" if self._total else ""
        facts = [f"{self._done}{of} {self._unit}", *self._facts(values)]
        print(f"{self._label}: {', '.join(facts)}", file=self._stream, flush=True)

    def _facts(self, values):
        """Rates, the time left and the values, in words."""
        pace = statistics.median(self._paces) if self._paces else 0.0
        for name, count in self._counted.items() if self._paces else ():
            yield _rate(count / max(pace, 1e-9), name)
        if self._total:
            yield f"{self._time_left(pace)} left"
        for name, value in values.items():
            yield f"{name} {value}"

    def _time_left(self, pace):
        units = max(self._total - self._done, 0)
        # The first units took the compilation's time, too, which says nothing of the rest.
        return clock(units * pace) if len(self._paces) > 1 or not units else "?"


def clock(seconds: float) -> str:
    """Returns a time as 1:05, or 2:01:05 with hours."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _rate(per_second: float, name: str) -> str:
    """Three digits a second, or, where that is far below one, a minute or an hour."""
    of_unit = {"s": 1, "min": 60, "h": 3600}
    unit = next((unit for unit in of_unit if per_second * of_unit[unit] >= 0.1), "h")
    rate = per_second * of_unit[unit]
    return f"{f'{rate:,.0f}' if rate >= 1000 else f'{rate:.3g}'} {name}/{unit}"
