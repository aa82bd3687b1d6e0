# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of tfrecords_tools.datasets.ucf101."""

import pytest

from official_cvrl import errors
from tfrecords_tools.datasets import ucf101


@pytest.fixture
def lists(tmp_path):
    lists = tmp_path / "lists"
    lists.mkdir()
    # The official files end their lines so. Numbers, neither lines nor names, make the order.
    (lists / "classInd.txt").write_bytes(b"3 Aerobics\r\n1 Archery\r\n2 BabyCrawling\r\n")
    (lists / "trainlist01.txt").write_bytes(
        b"Archery/v_Archery_g08_c01.avi 1\r\nBabyCrawling/v_BabyCrawling_g08_c01.avi 2\r\n"
    )
    (lists / "testlist01.txt").write_bytes(b"Archery/v_Archery_g01_c01.avi\r\n")
    (lists / "trainlist02.txt").write_bytes(b"Archery/v_Archery_g01_c01.avi 1\r\n")
    return lists


def test_official_lists(tmp_path, lists, touch, labels_of):
    touch(tmp_path, "v/Archery/v_Archery_g08_c01.avi", "v/v_BabyCrawling_g08_c01.avi")
    found = ucf101.read(lists, videos=tmp_path / "v")
    assert found.label_names == ("Archery", "BabyCrawling", "Aerobics")
    assert labels_of(found.splits["train"]) == {
        "Archery/v_Archery_g08_c01.avi": ("Archery",),
        "BabyCrawling/v_BabyCrawling_g08_c01.avi": ("BabyCrawling",),
    }
    assert [clip.path for clip in found.splits["train"].clips] == [
        f"{tmp_path}/v/Archery/v_Archery_g08_c01.avi",
        f"{tmp_path}/v/v_BabyCrawling_g08_c01.avi",
    ]
    assert labels_of(found.splits["test"]) == {"Archery/v_Archery_g01_c01.avi": ("Archery",)}


def test_split_and_fold(tmp_path, lists, labels_of):
    found = ucf101.read(lists, videos=tmp_path, split="train", fold=2)
    assert list(found.splits) == ["train"]
    assert found.settings == {"fold": 2}
    assert list(labels_of(found.splits["train"])) == ["Archery/v_Archery_g01_c01.avi"]


@pytest.mark.parametrize(
    ("changed", "arguments", "words"),
    [
        ({}, {"split": "val"}, "--split=val.*train and test"),
        ({}, {"fold": 3}, "trainlist03.txt: cannot be read.*official"),
        ({"classInd.txt": "Archery\n"}, {}, "classInd.txt: 'Archery' is not"),
        ({"classInd.txt": "1 A\n3 B\n"}, {}, "not 1 to 2"),
        ({"testlist01.txt": "Flying/a.avi\n"}, {}, "testlist01.txt: 'Flying/a.avi'"),
    ],
)
def test_faults(tmp_path, lists, changed, arguments, words):
    for name, text in changed.items():
        (lists / name).write_text(text)
    with pytest.raises(errors.UserError, match=words):
        ucf101.read(lists, videos=tmp_path, **arguments)
