# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of tfrecords_tools.datasets.hmdb51."""

import pytest

from official_cvrl import errors
from tfrecords_tools import official_labels
from tfrecords_tools.datasets import hmdb51


@pytest.fixture
def lists(tmp_path):
    """The split files of fold 1 and 2; they end their lines with a space, as the official do."""
    lists = tmp_path / "lists"
    lists.mkdir()
    for label in official_labels.read("hmdb51"):
        (lists / f"{label}_test_split1.txt").write_text(
            f"{label} 1.avi 1 \n{label}_2.avi 2 \n{label}_3.avi 0 \n"
        )
        (lists / f"{label}_test_split2.txt").write_text(f"{label}_3.avi 1 \n")
    return lists


def test_official_lists(tmp_path, lists, touch, labels_of):
    touch(tmp_path / "v", "wave/wave 1.avi", "walk 1.avi")
    found = hmdb51.read(lists, videos=tmp_path / "v")
    assert found.label_names == official_labels.read("hmdb51")
    train, test = labels_of(found.splits["train"]), labels_of(found.splits["test"])
    assert train == {f"{label}/{label} 1.avi": (label,) for label in found.label_names}
    assert test == {f"{label}/{label}_2.avi": (label,) for label in found.label_names}
    paths = {clip.data_path: clip.path for clip in found.splits["train"].clips}
    assert paths["wave/wave 1.avi"] == f"{tmp_path}/v/wave/wave 1.avi"
    assert paths["walk/walk 1.avi"] == f"{tmp_path}/v/walk 1.avi"


def test_split_and_fold(tmp_path, lists, labels_of):
    found = hmdb51.read(lists, videos=tmp_path, split="train", fold=2)
    assert list(found.splits) == ["train"]
    assert found.settings == {"fold": 2}
    assert labels_of(found.splits["train"])["wave/wave_3.avi"] == ("wave",)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"split": "val"}, "--split=val: HMDB-51 has train and test"),
        ({"fold": 3}, "brush_hair_test_split3.txt: cannot be read.*each of the 51 classes"),
    ],
)
def test_faults(tmp_path, lists, arguments, words):
    with pytest.raises(errors.UserError, match=words):
        hmdb51.read(lists, videos=tmp_path, **arguments)


@pytest.mark.parametrize("line", ["wave_1.avi", "wave_1.avi 3", "1"])
def test_a_line_that_is_not_understood(tmp_path, lists, line):
    (lists / "wave_test_split1.txt").write_text(line)
    with pytest.raises(errors.UserError, match=f"wave_test_split1.txt: '{line}' is not a video"):
        hmdb51.read(lists, videos=tmp_path)
