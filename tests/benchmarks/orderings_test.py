# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What a study says of the paper's orderings: verdicts by standard errors, rows that exist."""

from benchmarks import ablations, orderings


def _said(better, worse, points=1.25):
    found = {"a": [{"top1": value} for value in better], "b": [{"top1": value} for value in worse]}
    given = [orderings.Ordering("a", "b", points, "Table 0"), orderings.Ordering("a", "c", 1, "")]
    return orderings.table(given, found, "top1").split("\n")[2:]


def test_a_difference_counts_from_three_of_its_standard_errors_on():
    # Variance of both 0.01, so the standard error is sqrt(0.02 / 3), 8.16 points.
    spread = (0.4, 0.5, 0.6)
    assert _said(spread, [value - 0.24 for value in spread]) == [
        "| a > b | Table 0 | +1.2 | +24.0 ± 8.2 | is within noise |"
    ]
    assert _said(spread, [value - 0.25 for value in spread])[0].endswith("+25.0 ± 8.2 | holds |")
    assert "-25.0 ± 8.2 | is **turned round** |" in _said([v - 0.25 for v in spread], spread)[0]


def test_where_the_paper_gives_no_number_there_is_a_stroke():
    assert "| Table 0 | – | +50.0" in _said([0.5, 0.5], [0.0, 0.0], points=float("nan"))[0]


def test_every_ordering_is_of_rows_of_the_study():
    names = [row.name for row in ablations.ROWS]
    assert len(set(names)) == len(names)
    for ordering in ablations.ORDERINGS:
        assert {ordering.better, ordering.worse} <= set(names)


def test_without_a_row_in_common_there_is_no_table():
    assert not orderings.table(ablations.ORDERINGS, {"CVRL": [{"top1": 0.5}]}, "top1")
