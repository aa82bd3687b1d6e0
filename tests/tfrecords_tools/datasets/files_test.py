# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of tfrecords_tools.datasets.files."""

import pytest

from official_cvrl import errors
from tfrecords_tools.datasets import files


def test_lines_and_rows(tmp_path):
    path = tmp_path / "list"
    path.write_bytes(b'\xef\xbb\xbf a , 1\r\n\r\n"b, c",\r\n')
    assert files.lines(path, needs="") == ["a , 1", '"b, c",']
    assert files.rows(path, needs="") == [["a", "1"], ["b, c", ""]]
    path.write_bytes(b"\xff")
    with pytest.raises(errors.UserError, match="list: cannot be read.* Give another."):
        files.rows(path, needs="Give another.")


def test_by_stem_and_choose(tmp_path, touch):
    touch(tmp_path, "b/x.mp4", "a/x.mkv", "c It's_Time/x.webm", "x.txt", "y.mp4.part", ".x.mp4")
    found = files.by_stem(tmp_path)
    in_a, in_b, in_c = (
        f"{tmp_path}/{name}" for name in ("a/x.mkv", "b/x.mp4", "c It's_Time/x.webm")
    )
    assert found == {"x": [in_a, in_b, in_c], "y.mp4": [f"{tmp_path}/y.mp4.part"]}
    assert files.choose(found["x"], label="C its time") == in_c
    assert files.choose(found["x"], label="b") == in_b
    assert files.choose(found["x"], label="other") == in_a
    assert files.first_of(found, ("z", "y.mp4", "x")) == "y.mp4"
    assert files.first_of(found, ("z",)) is None
