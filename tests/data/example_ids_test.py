# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Names come back as they went, as far as there is room."""

import pytest

from official_cvrl.data import example_ids


@pytest.mark.parametrize(
    ("name", "back"),
    [
        ("", ""),
        ("a/ü 你.mp4", "a/ü 你.mp4"),
        ("x" * 600, "x" * 512),
        ("x" * 511 + "ü", "x" * 511 + "\ufffd"),
    ],
)
def test_there_and_back(name, back):
    assert example_ids.to_text(example_ids.to_numbers(name).numpy()) == back
