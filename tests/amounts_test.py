# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""One is singular."""

import pytest

from official_cvrl import amounts


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((0, "film"), "0 films"),
        ((1, "film"), "1 film"),
        ((1200, "row"), "1,200 rows"),
        ((2, "box", "boxes"), "2 boxes"),
        ((1, "box", "boxes"), "1 box"),
    ],
)
def test_counted(given, said):
    assert amounts.counted(*given) == said
