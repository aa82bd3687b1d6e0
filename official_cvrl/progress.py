# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What a person sees while something runs: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Mapping
from typing import TextIO

import tqdm

_SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Shows how much is done, the rate, the time left and the newest values.

    Args:
        label: what is running, in a word or two.
        unit: what is counted, in the plural.
        total: how many there are; None if that is not known.
        done: how many were done before this process started.
        stream: where to write, standard error by default; a bar is drawn if it is a terminal.
    """

    def __init__(
        self,
        *,
        label: str,
        unit: str,
        total: int | None = None,
        done: int = 0,
        stream: TextIO | None = None,
    ):
        self._stream = stream or sys.stderr
        self._label, self._unit, self._total = label, unit, total
        self._done = self._shown = done
        self._last_line = time.monotonic()
        self._bar = None
        if self._stream.isatty():
            self._bar = tqdm.tqdm(
                total=total,
                initial=done,
                desc=label,
                unit=f" {unit}",
                file=self._stream,
                dynamic_ncols=True,
            )

    def update(self, done: int, values: Mapping[str, str] | None = None) -> None:
        """Says how much is done now, with the newest values by name."""
        self._done = done
        if self._bar is not None:
            self._bar.set_postfix(values or {}, refresh=False)
            self._bar.update(done - self._bar.n)
        elif done == self._total or self._line_is_due():
            self._print_line(values or {})

    def close(self) -> None:
        """Ends the bar, or prints the last line; what comes next starts on a line of its own."""
        if self._bar is not None:
            self._bar.close()
        elif self._shown != self._done:
            self._print_line({})

    def _line_is_due(self):
        return time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES

    def _print_line(self, values):
        now = time.monotonic()
        # Since the line before: compilation, which comes first, says nothing of the rest.
        rate = (self._done - self._shown) / max(now - self._last_line, 1e-9)
        self._last_line, self._shown = now, self._done
        facts = [f"{self._done} {self._unit}", f"{rate:.3g} {self._unit}/s"]
        if self._total:
            facts[0] = f"{self._done}/{self._total} {self._unit}"
            facts.append(f"{_clock((self._total - self._done) / rate) if rate else '?'} left")
        facts += [f"{name} {value}" for name, value in values.items()]
        print(f"{self._label}: {', '.join(facts)}", file=self._stream, flush=True)


def _clock(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
