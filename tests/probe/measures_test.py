# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What is measured of which videos, and under which names."""

import numpy as np
import pytest

from official_cvrl import errors
from official_cvrl.probe import measures, table


def _table(labels, embeddings):
    names = np.array([f"{number}.mp4" for number in range(len(labels))])
    return table.Table(names, np.array(labels), np.float32(embeddings))


_TRAIN = _table(
    [0, 0, 0, 1, 1, 1, -1], [[1, 0], [2, 0.1], [1, 0.2], [0, 1], [0.1, 1], [0, 2], [3, 3]]
)
_TEST = _table([0, 1, 1, -1], [[5, 0.1], [0.1, 1], [1, 0], [9, 9]])


def test_all_of_them_and_without_unlabelled_videos(capsys):
    asked = measures.Asked(num_neighbors=3)
    found, notes = measures.measure(_TRAIN, _TEST, num_classes=2, asked=asked)
    assert found == pytest.approx(
        {
            "retrieval_at_1": 2 / 3,
            "retrieval_at_5": 1.0,
            "retrieval_at_10": 1.0,
            "retrieval_at_20": 1.0,
            "knn_top1": 2 / 3,
            "linear_top1": 2 / 3,
        }
    )
    assert (notes["train_videos"], notes["test_videos"]) == (6, 3)
    assert set(notes["held_out_top1_by_l2"]) == {f"{l2:g}" for l2 in asked.strengths}
    said = capsys.readouterr().out
    assert "1 training videos have no label" in said
    assert "1 test videos have no label" in said
    assert "at an end of those tried, --l2=1,0.1,0.01,0.001,0.0001,1e-05,1e-06: others" in said
    assert "Of 3 test videos alone: a share has a standard error of up to 29 points." in said


def test_some_of_them():
    asked = measures.Asked(kinds=["knn"])
    found, notes = measures.measure(_TRAIN, _TEST, num_classes=2, asked=asked)
    assert list(found) == ["knn_top1"]
    assert "l2" not in notes


def test_no_labels_at_all():
    with pytest.raises(errors.UserError, match="None of the 1 test videos has a label"):
        measures.measure(_TRAIN, _table([-1], [[1, 1]]), num_classes=2, asked=measures.Asked())
