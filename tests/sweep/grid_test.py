# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Axes as people write them, every combination once, a folder of its own for each."""

import pytest

from official_cvrl import errors
from official_cvrl.sweep import grid


def test_values_are_split_outside_of_brackets_and_quotes():
    (axis,) = grid.parse(["a/b.C.d = [1e-3, (1, [2]), 'x, ]', @f.g(), \"y'\", {'k': (1, 2)}]"])
    assert axis.name == "a/b.C.d"
    assert axis.values == ["1e-3", "(1, [2])", "'x, ]'", "@f.g()", '"y\'"', "{'k': (1, 2)}"]


def test_every_combination_once_and_the_last_axis_fastest():
    points = grid.points(grid.parse(["A = [1, 2]", "m.f.B = ['x', 'y', 'z']"]))
    assert [point.params for point in points][:4] == [
        ["A = 1", "m.f.B = 'x'"],
        ["A = 1", "m.f.B = 'y'"],
        ["A = 1", "m.f.B = 'z'"],
        ["A = 2", "m.f.B = 'x'"],
    ]
    assert len(points) == 6
    assert points[0].label == "A = 1, B = 'x'"
    assert points[0].without("A").label == "B = 'x'"
    assert [point.folder for point in points[:2]] == ["A=1_B=x", "A=1_B=y"]


def test_folders_are_plain_names_and_never_the_same():
    values = ["(1, 2)", "(1,2)", "'a/b'", "'../ab'", "'ab'", '"ab"', "1", "'1'", "True", "'True'"]
    values += ["0." + "1" * 200, "0." + "1" * 201]
    folders = [point.folder for point in grid.points([grid.Axis("f.x", values)])]
    assert len(set(folders)) == len(values)
    for folder in folders:
        assert "/" not in folder and len(folder) < 100, folder


def test_no_axis_is_one_point():
    (point,) = grid.points([])
    assert (point.params, point.folder, point.label) == ([], "run", "as it is")


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["SEED"], 'SEED = \\[0, 1, 2\\]"'),
        (["SEED = 0, 1"], "is no axis"),
        (["SEED = []"], "is no axis"),
        (["SEED = [0, ]"], "is no axis"),
        (["SEED = [0, 1, 0]"], "has a value twice"),
        (["A = [1]", "A = [2]"], "has A twice"),
    ],
)
def test_what_is_no_axis_is_refused(texts, words):
    with pytest.raises(errors.UserError, match=words):
        grid.parse(texts)
