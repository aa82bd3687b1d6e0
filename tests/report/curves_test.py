# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Curves lie where their axes say."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from official_cvrl.report import curves, events, measures

_LOSS, _SHARE = measures.describe("contrastive_loss"), measures.describe("top1")


def _series(points):
    return events.Series(np.array(list(points)), np.array(list(points.values()), np.float64))


def _drawn(points, measure, guide=None):
    svg = ET.fromstring(curves.chart([curves.Line(_series(points))], measure, guide=guide))
    return svg, json.loads(svg.get("data-points"))


def _tick_lines(svg):
    """Returns what each horizontal line is labelled → its height."""
    texts = [element.text for element in svg.iter("text") if element.get("text-anchor") == "end"]
    lines = [
        float(path.get("d").split()[1].split("H")[0])
        for path in svg.iter("path")
        if path.get("class") == "grid"
    ]
    return dict(zip(texts, lines, strict=False))


@pytest.mark.parametrize(
    ("low", "high", "most", "expected"),
    [
        (0, 200, 6, [0, 50, 100, 150, 200]),
        (6.15, 8.49, 6, [6, 6.5, 7, 7.5, 8, 8.5]),
        (0, 0.32, 6, [0, 0.1, 0.2, 0.3, 0.4]),
        (0, 46000, 6, [0, 10000, 20000, 30000, 40000, 50000]),
        (0.00099, 0.00104, 6, [0.00099, 0.001, 0.00101, 0.00102, 0.00103, 0.00104]),
        (-1, 1, 6, [-1, -0.5, 0, 0.5, 1]),
    ],
)
def test_ticks(low, high, most, expected):
    assert curves.ticks(low, high, most=most) == pytest.approx(expected)


@pytest.mark.parametrize("value", [0.0, 3.0, -2.5, 1e-9, 1e12])
def test_ticks_around_a_single_value(value):
    found = curves.ticks(value, value, most=6)
    assert found[0] <= value <= found[-1]
    assert 1 < len(found) <= 6


def test_points_lie_on_the_lines_of_their_values():
    svg, points = _drawn({10: 8.0, 20: 7.0, 30: 6.0}, _LOSS)
    lines = _tick_lines(svg)
    assert [y for _, y, *_ in points] == [lines["8.0"], lines["7.0"], lines["6.0"]]
    assert lines["8.0"] == float(svg.get("data-top"))
    assert lines["6.0"] == float(svg.get("data-bottom"))
    first, middle, last = (x for x, *_ in points)
    assert last - middle == pytest.approx(middle - first, abs=0.2)
    path = next(p.get("d") for p in svg.iter("path") if p.get("class") == "line")
    assert path == "M" + "L".join(f"{x} {y}" for x, y, *_ in points)
    assert [p[2:] for p in points] == [["10", "8"], ["20", "7"], ["30", "6"]]


def test_shares_stand_on_zero_and_end_at_one():
    svg, points = _drawn({10: 0.5, 20: 1.0}, _SHARE)
    lines = _tick_lines(svg)
    assert lines["0%"] > points[0][1] > points[1][1] == lines["100%"] == min(lines.values())
    assert points[1][3] == "100.0%"


def test_the_guide_is_within_the_drawing():
    svg, points = _drawn({10: 2.9, 20: 2.6}, _LOSS, curves.Guide(3.47, "a guess:"))
    guide = next(g for g in svg.iter("g") if g.get("class") == "guide")
    height = float(guide.find("path").get("d").split()[1].split("H")[0])
    assert float(svg.get("data-top")) <= height < points[0][1]
    assert guide.find("text").text == "a guess: 3.47"


def test_small_numbers_have_their_power_at_the_axis():
    svg, _ = _drawn({10: 0.00099, 20: 0.00104}, _LOSS)
    assert {"0.99", "1.00", "1.04"} <= _tick_lines(svg).keys()
    assert [span.text for span in svg.iter("tspan")] == ["-3"]


def test_many_points_are_drawn_as_means():
    series = _series(dict(zip(range(1, 1001), np.arange(1000.0), strict=True)))
    thin = curves.thinned(series, most=100)
    np.testing.assert_array_equal(thin.steps, np.arange(10, 1001, 10))
    np.testing.assert_allclose(thin.values, np.arange(100) * 10 + 4.5)
    assert curves.thinned(series, most=1000) is series


def test_one_point():
    svg, points = _drawn({100: 0.5}, _SHARE)
    assert len(points) == 1
    assert svg.get("aria-label") == "Top-1: 50.0% at step 100"


def test_what_is_said_instead_of_the_picture():
    svg, _ = _drawn({10: 8.0, 2000: 6.5}, _LOSS)
    assert svg.get("aria-label") == "Contrastive loss: 8 at step 10, 6.5 at step 2000"
