# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of tfrecords_tools.datasets.csv_file."""

import pytest

from official_cvrl import errors
from tfrecords_tools.datasets import csv_file


def _read(tmp_path, text, **arguments):
    (tmp_path / "list.csv").write_text(text)
    return csv_file.read(tmp_path / "list.csv", videos=tmp_path, **arguments)


def test_rows(tmp_path):
    found = _read(
        tmp_path,
        "path, start,end,label\n"
        "a.mp4,1.5,2.25,run\n"
        "a.mp4,2.25,,jump|run\n"
        '"b, c.mp4",,,\n'
        "/else/d.mp4,0,10,fly\n",
    )
    assert found.label_names == ("fly", "jump", "run")
    first, second, third, fourth = found.splits["train"].clips
    assert (first.start_us, first.end_us, first.labels) == (1_500_000, 2_250_000, ("run",))
    assert first.path == f"{tmp_path}/a.mp4"
    assert first.example_id == "a.mp4@1.5-2.25"
    assert (second.end_us, second.labels) == (None, ("jump", "run"))
    assert second.example_id == "a.mp4@2.25-"
    assert (third.data_path, third.labels, third.example_id) == ("b, c.mp4", (), "b, c.mp4")
    assert fourth.path == "/else/d.mp4"


def test_times_close_together_give_different_ids(tmp_path):
    found = _read(tmp_path, "path,start,end\na,1234.56781,1300\na,1234.56782,1300\n")
    assert len(found.splits["train"].clips) == 2
    assert not found.splits["train"].refused


def test_splits_by_column(tmp_path):
    text = "path,split,label\na,train,x\nb,val,y\nc,,x\n"
    found = _read(tmp_path, text)
    assert {name: len(split.clips) for name, split in found.splits.items()} == {
        "train": 2,
        "val": 1,
    }
    only = _read(tmp_path, text, split="val")
    assert list(only.splits) == ["val"]
    assert only.label_names == ("x", "y")
    assert list(_read(tmp_path, "path\na\n", split="mine").splits) == ["mine"]


def test_bad_rows_are_told_and_the_rest_kept(tmp_path):
    split = _read(
        tmp_path, "path,start,end\na,0,1\nb,x,1\nc,5,4\na,0,1\n,0,1\nd,nan,\ne,-1,\n"
    ).splits["train"]
    assert [clip.data_path for clip in split.clips] == ["a"]
    assert [(one.data_path, one.reason) for one in split.refused] == [
        ("b", "start 'x' is not a number of seconds"),
        ("c", "end 4 is not after start 5"),
        ("a", "the same video and times stand in an earlier row"),
        ("", "the row has no path"),
        ("d", "start 'nan' is not a number of seconds"),
        ("e", "start '-1' is not a number of seconds"),
    ]


def test_cells_without_a_column_are_refused_by_line(tmp_path):
    text = 'path,label\n"a",dog,,\nb,dog,barking , loud\n"c,\nd",cat,,x\n'
    split = _read(tmp_path, text).splits["train"]
    assert [clip.data_path for clip in split.clips] == ["a"]
    assert [one.reason.partition(";")[0] for one in split.refused] == [
        "line 3 has cells beyond the 2 columns: barking,loud",
        "line 5 has cells beyond the 2 columns: x",
    ]
    assert split.refused[0].data_path == "b"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "first line must name the columns"),
        ("a.mp4,run\nb.mp4,run\n", "first line must name the columns.*'a.mp4,run'"),
        ("path,lable\na,b\n", "first line must name the columns.*'path,lable'"),
        ("path\tlabel\na\tb\n", "Separate columns by commas; these are tabs"),
        ("path;label\na;b\n", "these are semicolons"),
        ("path\n", "no rows"),
        ("path,label,label\na,b,c\n", "path and optionally .*, each once.*'path,label,label'"),
    ],
)
def test_bad_tables(tmp_path, text, words):
    with pytest.raises(errors.UserError, match=words):
        _read(tmp_path, text)


def test_no_table(tmp_path):
    with pytest.raises(errors.UserError, match="list.csv: cannot be read"):
        csv_file.read(tmp_path / "list.csv", videos=tmp_path)
