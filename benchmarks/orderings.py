# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Which of two rows is better, by the paper and by a study of ours."""

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence

from benchmarks import outcome
from official_cvrl import result_names

# With three seeds a row, a difference of nothing but chance is larger in one of 25 cases where both
# rows spread alike, and in one of ten where only one of them spreads (Student's t).
_ERRORS_APART = 3


@dataclasses.dataclass(frozen=True)
class Ordering:
    """What the paper says of two rows.

    Attributes:
        better: the row that is better in the paper.
        worse: the other.
        points: by how many points of what the source measures; nan where it gives no number.
        source: the table or figure.
    """

    better: str
    worse: str
    points: float
    source: str


def table(
    orderings: Sequence[Ordering], found: Mapping[str, Sequence[Mapping[str, float]]], measure: str
) -> str:
    """Returns a table of the orderings whose rows were both measured; "" without any.

    One holds, or is turned round, if the difference of the means is larger than three of its
    standard errors, sqrt(s₁² / n₁ + s₂² / n₂); else it is within noise.

    Args:
        orderings: the paper's.
        found: measures of each run, by row; at least two runs a row.
        measure: a share in [0, 1].
    """
    rows = [
        (
            f"{ordering.better} > {ordering.worse}",
            ordering.source,
            "–" if math.isnan(ordering.points) else f"{ordering.points:+.1f}",
            *_ours([[run[measure] for run in found[row]] for row in _rows(ordering)]),
        )
        for ordering in orderings
        if all(row in found for row in _rows(ordering))
    ]
    if not rows:
        return ""
    heads = ("ordering", "paper", "points there", f"{result_names.title(measure)} here", "it")
    return outcome.table(heads, rows)


def _rows(ordering):
    return ordering.better, ordering.worse


def _ours(runs):
    better, worse = runs
    difference = statistics.mean(better) - statistics.mean(worse)
    error = math.sqrt(sum(statistics.variance(values) / len(values) for values in runs))
    if abs(difference) <= _ERRORS_APART * error:
        verdict = "is within noise"
    else:
        verdict = "holds" if difference > 0 else "is **turned round**"
    return f"{100 * difference:+.1f} ± {100 * error:.1f}", verdict
