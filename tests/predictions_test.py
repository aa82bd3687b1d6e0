# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What a classifier says, written and read back: rows, names, shares, confusions, faults."""

import csv

import numpy as np
import pytest

from official_cvrl import errors, predictions
from tests import full_disk

_NAMES = ("run", 'jump, "high"', "=sit", "lie", "stand", "never")


def _found(label_names=_NAMES):
    """Five videos: right, twice taken for class 0, right in the fifth place, and one unlabelled."""
    probabilities = np.full([5, 6], 0.05, np.float32)
    probabilities[[0, 1, 2, 3, 4], [0, 0, 0, 0, 2]] = 0.75
    return predictions.Predictions(
        ["a/1.mp4", "b/2,x.mp4", "b/3.mp4", "e/4.mp4", "ü.mp4"],
        np.array([0, 1, 1, 4, -1]),
        probabilities,
        label_names,
    )


def _rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_row_a_video_a_row_a_class_and_the_confusions(tmp_path):
    paths = predictions.write(str(tmp_path), _found())
    assert paths == [str(tmp_path / name) for name in predictions.FILES]
    videos, classes, _ = map(_rows, paths)
    assert [row["example_id"] for row in videos] == _found().example_ids
    assert [row["label"] for row in videos] == ["run", _NAMES[1], _NAMES[1], "stand", ""]
    assert [row["top1"] for row in videos] == ["run"] * 4 + ["=sit"]
    # Of equal probabilities the lower class comes first.
    fifth = [row["top5"] for row in videos]
    assert fifth == ["stand"] * 4 + ["stand"]
    assert (videos[0]["probability1"], videos[0]["probability5"]) == ("0.75", "0.05")
    assert list(videos[0])[-1] == "probability5"
    assert [list(row.values()) for row in classes] == [
        ["run", "1", "1", "1", "", ""],
        [_NAMES[1], "2", "0", "1", "run", "2"],
        ["=sit", "0", "", "", "", ""],
        ["lie", "0", "", "", "", ""],
        ["stand", "1", "0", "1", "run", "1"],
        ["never", "0", "", "", "", ""],
    ]
    table = predictions.read_confusion(str(tmp_path))
    assert table.label_names == list(_NAMES)
    assert table.counts.tolist() == [
        [1, 0, 0, 0, 0, 0],
        [2, 0, 0, 0, 0, 0],
        [0] * 6,
        [0] * 6,
        [1, 0, 0, 0, 0, 0],
        [0] * 6,
    ]


def test_of_five_classes_there_is_no_top_5(tmp_path):
    found = _found(_NAMES[:5])
    found = predictions.Predictions(
        found.example_ids, found.labels, found.probabilities[:, :5], found.label_names
    )
    videos, classes, _ = map(_rows, predictions.write(str(tmp_path), found))
    assert "top5" not in classes[0]
    assert videos[0]["top5"] == "stand"


def test_a_full_disk_leaves_the_files_before(tmp_path):
    predictions.write(str(tmp_path), _found())
    before = [(tmp_path / name).read_bytes() for name in predictions.FILES]
    many = predictions.Predictions(
        ["x" * 5000], np.array([0]), np.eye(6, dtype=np.float32)[:1], _NAMES
    )
    with full_disk.full_after(4000), pytest.raises(errors.UserError, match=r"predictions\.csv can"):
        predictions.write(str(tmp_path), many)
    assert [(tmp_path / name).read_bytes() for name in predictions.FILES] == before
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(predictions.FILES)


def test_no_confusions_there_or_broken_ones(tmp_path):
    assert predictions.read_confusion(str(tmp_path)) is None
    for text in ("", "label,a\nb,1\n", "label,a,b\na,1,2\n", "label,a\na,many\n"):
        (tmp_path / "confusion.csv").write_text(text)
        with pytest.raises(errors.UserError, match=r"confusion\.csv holds no confusion.*--mode=e"):
            predictions.read_confusion(str(tmp_path))
