# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Lines where there is no terminal, a bar where there is one."""

import io

import pytest

from official_cvrl import progress


class _Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(name="clock")
def _clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_line_every_ten_seconds_and_one_at_the_end(clock):
    stream = io.StringIO()
    shown = progress.Progress(label="train", unit="steps", total=100, done=20, stream=stream)
    for step in range(21, 101):
        clock[0] += 0.5
        shown.update(step, {"loss": f"{step}"})
    shown.close()
    lines = stream.getvalue().splitlines()
    assert lines[0] == "train: 40/100 steps, 2 steps/s, 0:30 left, loss 40"
    assert lines[-1] == "train: 100/100 steps, 2 steps/s, 0:00 left, loss 100"
    assert len(lines) == 4


def test_unknown_total_ends_with_what_was_done(clock):
    stream = io.StringIO()
    shown = progress.Progress(label="test", unit="videos", stream=stream)
    clock[0] += 2
    shown.update(8)
    shown.close()
    assert stream.getvalue() == "test: 8 videos, 4 videos/s\n"


def test_the_rate_is_the_newest(clock):
    stream = io.StringIO()
    shown = progress.Progress(label="train", unit="steps", total=100, stream=stream)
    for step, seconds in ((1, 90), (11, 10)):
        clock[0] += seconds
        shown.update(step)
    assert stream.getvalue().splitlines()[-1] == "train: 11/100 steps, 1 steps/s, 1:29 left"


def test_hours_are_shown(clock):
    stream = io.StringIO()
    shown = progress.Progress(label="train", unit="steps", total=7201, stream=stream)
    clock[0] += 10
    shown.update(10)
    assert "1:59:51 left" in stream.getvalue()


def test_a_bar_with_values_on_a_terminal():
    stream = _Terminal()
    shown = progress.Progress(label="train", unit="steps", total=10, stream=stream)
    shown.update(5, {"loss": "0.5"})
    shown.close()
    assert "train:  50%" in stream.getvalue()
    assert "loss=0.5" in stream.getvalue()
