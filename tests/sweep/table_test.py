# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Means, spreads and what was not measured; the picture shows every run where it belongs."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from official_cvrl.sweep import table

_SPACE = "{http://www.w3.org/2000/svg}"
_ROWS = {
    "a|b": [{"top1": 0.5, "knn_top1": 0.25}, {"top1": 0.7}],
    "long name " * 9: [{"top1": 0.55, "other_top1": 1.0}],
    "<none>": [],
}


def _panels(rows, **given):
    return ElementTree.fromstring(table.picture(rows, **given)).findall(f"{_SPACE}g")


def _lines(panel, class_):
    """Where its upright lines of a class stand."""
    found = panel.findall(f"{_SPACE}path[@class='{class_}']")
    return [float(re.match(r"M([\d.]+) ", line.get("d"))[1]) for line in found]


def test_a_table_of_means_and_spreads():
    columns = table.measures(_ROWS)
    assert columns == ["knn_top1", "top1", "other_top1"]
    lines = table.markdown(_ROWS, first="x", columns=columns).split("\n")
    assert lines[0] == "| x | kNN top-1 | top-1 | other top1 |"
    assert lines[2] == "| a\\|b | 25.0% | 60.0% ± 14.1% | – |"
    assert lines[3].endswith("| – | 55.0% | 100.0% |")
    assert lines[4] == "| <none> | – | – | – |"


def test_the_picture_has_each_run_at_its_value():
    (root,) = _panels(_ROWS, columns=["top1"])
    circles = root.findall(f"{_SPACE}circle")
    assert [circle.find(f"{_SPACE}title").text for circle in circles] == ["50.0%", "70.0%", "55.0%"]
    a, c, b = (float(circle.get("cx")) for circle in circles)
    assert b - a == pytest.approx((c - a) / 4, abs=0.2)
    texts = {node.text: node for node in root.findall(f"{_SPACE}text")}
    assert "<none>" in texts
    ticks = [(float(n.get("x")), int(t[:-1])) for t, n in texts.items() if re.fullmatch(r"\d+%", t)]
    (x0, low), (x1, high) = ticks[0], ticks[-1]
    assert low <= 50 and high >= 70
    assert a == pytest.approx(x0 + (x1 - x0) * (50 - low) / (high - low), abs=0.2)


def test_a_picture_of_one_value():
    assert len(_panels({"a": [{"top1": 1.0}]}, columns=["top1"])) == 1


def test_each_measure_has_a_panel_and_chance_a_line():
    rows = {"a": [{"knn_top1": 0.5, "top1": 0.75, "frame_map": 0.5}]}
    knn, top1, frame_map = _panels(rows, columns=[*rows["a"][0]], num_classes=4)
    titles = [panel.find(f"{_SPACE}text").text for panel in (knn, top1, frame_map)]
    assert titles == ["kNN top-1, chance 25.0%", "top-1, chance 25.0%", "frame mAP"]
    for panel, share in ((knn, 0.5), (top1, 0.75)):
        grid = _lines(panel, "grid")
        ticks = [int(t.text[:-1]) for t in panel.findall(f"{_SPACE}text[@class='tick']")]
        dot = float(panel.find(f"{_SPACE}circle").get("cx"))
        for place, percent in ((*_lines(panel, "chance"), 25), (dot, 100 * share)):
            assert place == pytest.approx(np.interp(percent, ticks, grid), abs=0.2)
    assert not _lines(frame_map, "chance")


def test_a_name_of_capitals_is_not_cut_off():
    name = "TRAIN_STEPS = 1000"
    (panel,) = _panels({name: [{"top1": 0.5}]}, columns=["top1"])
    end = float(panel.find(f"{_SPACE}text[@class='name']").get("x"))
    assert end > 7.7 * len(name)  # As wide as a browser draws it at 13 pixels.
