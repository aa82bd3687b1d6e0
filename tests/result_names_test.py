# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Titles of measures, and what a guess gives."""

import pytest

from official_cvrl import result_names


@pytest.mark.parametrize(
    ("measure", "title", "chance"),
    [
        ("top1", "top-1", 0.125),
        ("top5", "top-5", 0.625),
        ("knn_top1", "kNN top-1", 0.125),
        ("linear_top5", "linear top-5", 0.625),
        ("frame_map", "frame mAP", None),
        ("retrieval_at_20", "R@20", None),
        ("mean_of_top1", "mean of top1", None),
    ],
)
def test_title_and_chance(measure, title, chance):
    assert result_names.title(measure) == title
    assert result_names.chance(measure, num_classes=8) == chance
    assert result_names.chance(measure, num_classes=0) is None


def test_chance_is_certain_where_classes_are_few():
    assert result_names.chance("top5", num_classes=4) == 1.0


def test_shares_of_few_videos_are_told_with_their_error():
    said = "Of 12 test videos alone: a share has a standard error of up to 14 points."
    assert result_names.told_of_few(12) == said
    assert "of up to 5 points" in result_names.told_of_few(99)
    assert result_names.told_of_few(100) == ""
