# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Rows of boxes: no cell of them is dropped unsaid."""

import pytest

from official_cvrl import errors
from tfrecords_tools.datasets import box_rows

_HEADER = "video,second,x1,y1,x2,y2,person"


def _read(folder, *rows, header=_HEADER):
    path = folder / "boxes.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return box_rows.read(path, needed=(), optional=("person",), needs="Give another.")


def test_short_rows_are_filled_up_and_empty_cells_may_follow(tmp_path):
    short, long = _read(tmp_path, "a,1", "b, 2.5 ,0,0.25,0.5,1,3,,")
    assert (short.key_time(), short.corners(), short.person()) == (("a", 1.0), None, None)
    assert (long.key_time(), long.corners(), long.person()) == (("b", 2.5), (0.25, 0, 1, 0.5), 3)


def test_cells_without_a_column_are_refused(tmp_path):
    (row,) = _read(tmp_path, "a,1,0,0,1,1,3,,run")
    assert row.told == "row 2 (a,1,0,0,1,1,3,,run)"
    with pytest.raises(ValueError, match="beyond the 7 columns: run"):
        row.key_time()


@pytest.mark.parametrize("header", [f"{_HEADER},x1", f"{_HEADER},mood", "video,second"])
def test_headers_that_are_none(tmp_path, header):
    with pytest.raises(errors.UserError, match=rf"first line is '{header}'\. Give another\."):
        _read(tmp_path, header=header)
