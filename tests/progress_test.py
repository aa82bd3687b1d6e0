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


@pytest.mark.parametrize(("seconds", "rate"), [(2.0, "4"), (0.5, "16")])
def test_unknown_total_ends_with_what_was_done(clock, seconds, rate):
    stream = io.StringIO()
    shown = progress.Progress(label="test", unit="videos", stream=stream)
    clock[0] += seconds
    shown.update(8)
    shown.close()
    assert stream.getvalue() == f"test: 8 videos, {rate} videos/s\n"


def _shown_after(clock, *, total, updates):
    """Returns the last line after updates of (done, seconds since the one before)."""
    stream = io.StringIO()
    shown = progress.Progress(label="train", unit="steps", total=total, stream=stream)
    for done, seconds in updates:
        clock[0] += seconds
        shown.update(done)
    return stream.getvalue().splitlines()[-1]


def test_the_first_units_do_not_tell_how_long_the_rest_takes(clock):
    line = _shown_after(clock, total=100, updates=[(10, 90)])
    assert line == "train: 10/100 steps, 0.111 steps/s, ? left"


def test_compilation_and_an_evaluation_do_not_move_the_rate(clock):
    updates = [(10, 90), (20, 10), (30, 10), (40, 300), (50, 10)]
    line = _shown_after(clock, total=100, updates=updates)
    assert line == "train: 50/100 steps, 1 steps/s, 0:50 left"


def test_what_comes_in_bursts_has_the_rate_of_all(clock):
    pairs = [update for n in range(1, 11) for update in ((2 * n - 1, 1.5), (2 * n, 0))]
    line = _shown_after(clock, total=100, updates=pairs)
    assert line == "train: 13/100 steps, 1.33 steps/s, 1:05 left"


def test_what_is_done_again_is_taken_back(clock):
    stream = io.StringIO()
    shown = progress.Progress(label="convert", unit="videos", total=8, stream=stream)
    for count, seconds in [(1, 2), (3, 6), (-4, 2), (4, 8), (4, 8)]:
        clock[0] += seconds
        shown.add(count)
    shown.close()
    first, *_, last = stream.getvalue().splitlines()
    assert first == "convert: 0/8 videos, 0.5 videos/s, 0:16 left"
    assert last == "convert: 8/8 videos, 0.5 videos/s, 0:00 left"


@pytest.mark.parametrize("stream", [io.StringIO(), _Terminal()])
def test_quiet_shows_nothing(stream):
    shown = progress.Progress(label="test", unit="videos", total=1, stream=stream, quiet=True)
    shown.update(1)
    shown.close()
    assert not stream.getvalue()


def test_slow_rates_are_of_a_minute_or_an_hour(clock):
    assert ", 2.5 steps/min, " in _shown_after(
        clock, total=100, updates=[(1, 90), (2, 24), (3, 24)]
    )
    assert ", 1.5 steps/h, " in _shown_after(clock, total=100, updates=[(1, 2400), (2, 2400)])


def test_thousands_a_second_are_digits(clock):
    line = _shown_after(clock, total=10**6, updates=[(1, 90), (11_101, 10), (22_201, 10)])
    assert ", 1,110 steps/s, " in line


def test_hours_are_shown(clock):
    line = _shown_after(clock, total=7211, updates=[(10, 10), (20, 10)])
    assert line.endswith("1:59:51 left")


def test_a_bar_with_values_on_a_terminal():
    stream = _Terminal()
    shown = progress.Progress(label="train", unit="steps", total=10, stream=stream)
    shown.update(5, {"loss": "0.5"})
    shown.close()
    assert "train:  50%" in stream.getvalue()
    assert "5/10 steps" in stream.getvalue()
    assert "loss 0.5" in stream.getvalue()


def test_what_a_unit_holds_has_a_rate_of_the_same_span(clock):
    def shown(stream, updates):
        bar = progress.Progress(
            label="train", unit="steps", total=100, each={"clips": 8}, stream=stream
        )
        for done, seconds in updates:
            clock[0] += seconds
            bar.update(done)
        bar.close()
        return stream.getvalue()

    # The last ten steps took twice as long.
    updates = [(10, 20), (20, 20), (30, 20), (40, 40)]
    rates = "0.5 steps/s, 4 clips/s, 2:00 left"
    assert shown(io.StringIO(), updates).endswith(f"train: 40/100 steps, {rates}\n")
    assert rates in shown(_Terminal(), updates)


def test_a_terminal_counts_where_the_total_is_unknown(clock):
    stream = _Terminal()
    shown = progress.Progress(label="test", unit="videos", stream=stream)
    clock[0] += 2
    shown.update(8)
    shown.close()
    assert "test: 8 videos [" in stream.getvalue()
    assert "4 videos/s" in stream.getvalue()
