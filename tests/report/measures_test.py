# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Names of measures, and what a guess gives."""

import math

import pytest

from official_cvrl.report import measures


@pytest.mark.parametrize(
    ("tag", "known", "value"),
    [
        ("top1", {"num_classes": 4}, 0.25),
        ("top5", {"num_classes": 4}, 1.0),
        ("top5", {"num_classes": 50}, 0.1),
        ("knn_top1", {"num_classes": 4}, 0.25),
        ("accuracy", {"num_classes": 4}, 0.25),
        ("accuracy", {"num_classes": 4, "num_candidates": 8}, 0.125),
        ("entropy", {"num_candidates": 8}, math.log(8)),
        ("entropy", {"num_classes": 4}, None),
        ("top1", {}, None),
        ("contrastive_loss", {"num_classes": 4, "num_candidates": 8}, None),
    ],
)
def test_guess(tag, known, value):
    assert measures.guess(tag, **known) == value


def test_shares_are_shown_in_percent():
    assert measures.describe("top1").shown(0.1234) == "12.3%"
    assert measures.describe("contrastive_loss").shown(6.14877) == "6.149"


def test_accuracy_means_another_thing_in_pretraining():
    contrastive = measures.describe("accuracy", contrastive=True)
    assert contrastive.title == "Contrastive accuracy"
    assert contrastive.caption != measures.describe("accuracy").caption


def test_an_unknown_measure_keeps_its_name():
    assert measures.describe("mean_ap") == measures.Measure("mean ap")
