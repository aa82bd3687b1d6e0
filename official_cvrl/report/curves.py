# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Scalars over the steps as an SVG drawing with readable axes."""

import dataclasses
import json
import math
from collections.abc import Sequence

import numpy as np

from official_cvrl.report import events, markup, measures

_WIDTH, _HEIGHT = 440, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 10, 16, 40
_MOST_POINTS = 400
_MOST_DOTS = 30


@dataclasses.dataclass(frozen=True)
class Guide:
    """A horizontal line to compare with.

    Attributes:
        value: where it lies.
        name: what it is, in a word or two.
    """

    value: float
    name: str


@dataclasses.dataclass(frozen=True)
class Line:
    """A curve among others.

    Attributes:
        series: at least one point.
        name: what it is; "" where it stands alone.
        class_: how it is drawn, see page.css.
    """

    series: events.Series
    name: str = ""
    class_: str = ""


def chart(
    lines: Sequence[Line], measure: measures.Measure, *, guide: Guide | None = None
) -> markup.Markup:
    """Draws curves.

    Args:
        lines: at least one.
        measure: how their values are shown.
        guide: a line to compare with.

    Returns:
        An <svg> with the points as JSON, [[x, y, step, value as shown], …], in `data-points`. Of
        several curves they are those of the one with the most points, and the others' values at
        the nearest step are told beside it, up to their last.
    """
    lines = [dataclasses.replace(a, series=thinned(a.series, most=_MOST_POINTS)) for a in lines]
    values = [value for line in lines for value in line.series.values]
    values += [guide.value] if guide else []
    # Shares stand on zero.
    y_ticks = ticks(0.0 if measure.is_share else min(values), max(values), most=6)
    first = min(line.series.steps[0] for line in lines)
    last = max(line.series.steps[-1] for line in lines)
    x = _Scale(min(0, first), last, _LEFT, _WIDTH - _RIGHT)
    y = _Scale(y_ticks[0], y_ticks[-1], _HEIGHT - _BOTTOM, _TOP)
    return markup.element(
        "svg",
        *_grid(y_ticks, y, measure),
        *_step_axis(x),
        *(part for line in lines for part in _line(line, _places(line.series, x, y))),
        *([_guide(guide, y, measure)] if guide else []),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        tabindex=0,
        aria_label="; ".join(_spoken(line, measure) for line in lines),
        data_points=_hover_points(lines, x, y, measure),
        data_top=_TOP,
        data_bottom=_HEIGHT - _BOTTOM,
    )


def thinned(series: events.Series, *, most: int) -> events.Series:
    """Returns a series with at most so many points, each the mean of those it stands for."""
    if len(series.steps) <= most:
        return series
    parts = np.array_split(np.arange(len(series.steps)), most)
    return events.Series(
        np.array([series.steps[part[-1]] for part in parts]),
        np.array([series.values[part].mean() for part in parts]),
    )


def ticks(low: float, high: float, *, most: int) -> Sequence[float]:
    """Returns at most so many round numbers from at or below `low` to at or above `high`.

    They are multiples of 1, 2 or 5 times a power of ten; `most` is at least 3.
    """
    span = (high - low) or abs(high) or 1.0
    step = 10.0 ** math.floor(math.log10(span / most))
    for factor in (1, 2, 5, 10, 20, 50):
        first = math.floor(low / (step * factor) + 1e-9)
        last = max(math.ceil(high / (step * factor) - 1e-9), first + 1)
        if last - first < most:
            break
    return [number * step * factor for number in range(first, last + 1)]


class _Scale:
    """Maps values to a place on the drawing."""

    def __init__(self, low, high, start, end):
        self.low, self.high = float(low), float(high)
        self._start, self._end = start, end

    def __call__(self, value):
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return round(self._start + float(share) * (self._end - self._start), 1)


def _grid(y_ticks, y, measure):
    power = 0 if measure.is_share else _power(max(abs(tick) for tick in y_ticks))
    unit = 0.01 if measure.is_share else 10.0**power
    digits = max(0, -math.floor(math.log10((y_ticks[1] - y_ticks[0]) / unit) + 1e-9))
    if power:
        raised = markup.element("tspan", power, dy=-4, font_size=10)
        yield markup.element("text", "×10", raised, x=_LEFT, y=_TOP - 4)
    for tick in y_ticks:
        text = f"{tick / unit:.{digits}f}{'%' if measure.is_share else ''}"
        place = y(tick)
        yield markup.element("path", d=f"M{_LEFT} {place}H{_WIDTH - _RIGHT}", class_="grid")
        yield _text(text, _LEFT - 8, place + 4, "end")


def _power(largest):
    """The power of ten taken out of the labels of an axis with very small or large numbers."""
    return 0 if 0.01 <= largest < 1e5 or not largest else math.floor(math.log10(largest))


def _step_axis(x):
    shown = [tick for tick in ticks(x.low, x.high, most=6) if tick <= x.high]
    for tick in shown:
        yield _text(_count(tick), x(tick), _HEIGHT - _BOTTOM + 18, "middle")
    yield _text("steps", _WIDTH - _RIGHT, _HEIGHT - 4, "end")


def _guide(guide, y, measure):
    place = y(guide.value)
    return markup.element(
        "g",
        markup.element("path", d=f"M{_LEFT} {place}H{_WIDTH - _RIGHT}"),
        _text(f"{guide.name} {measure.shown(guide.value)}", _WIDTH - _RIGHT, place - 5, "end"),
        class_="guide",
    )


def _places(series, x, y):
    return [(x(step), y(value)) for step, value in zip(series.steps, series.values, strict=True)]


def _line(line, points):
    path = "M" + "L".join(f"{x} {y}" for x, y in points)
    yield markup.element("path", d=path, class_=f"line {line.class_}".strip())
    if len(points) <= _MOST_DOTS:
        for x, y in points:
            class_ = f"dot {line.class_}".strip()
            yield markup.element("circle", cx=x, cy=y, r=2.6, class_=class_)


def _text(text, x, y, anchor):
    return markup.element("text", text, x=x, y=round(y, 1), text_anchor=anchor)


def _spoken(line, measure):
    series, name = line.series, line.name or measure.title
    first, last = measure.shown(series.values[0]), measure.shown(series.values[-1])
    if len(series.steps) == 1:
        return f"{name}: {last} at step {series.steps[0]}"
    return f"{name}: {first} at step {series.steps[0]}, {last} at step {series.steps[-1]}"


def _hover_points(lines, x, y, measure):
    longest = max(lines, key=lambda line: len(line.series.steps))
    steps = longest.series.steps
    table = [
        [*place, f"{step:,}", " · ".join(_read(lines, step, measure))]
        for place, step in zip(_places(longest.series, x, y), steps, strict=True)
    ]
    return json.dumps(table, separators=(",", ":"))


def _read(lines, step, measure):
    """The lines' values at the nearest of their steps; one that ended before has none."""
    for line in lines:
        if step <= line.series.steps[-1]:
            nearest = int(np.abs(line.series.steps - step).argmin())
            yield f"{line.name} {measure.shown(line.series.values[nearest])}".strip()


def _count(number):
    """Writes 46000 as 46k."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:g}{letter}"
    return f"{number:g}"
