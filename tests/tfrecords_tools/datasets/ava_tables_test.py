# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of tfrecords_tools.datasets.ava_tables."""

import numpy as np
import pytest

from official_cvrl import errors
from tfrecords_tools import official_labels
from tfrecords_tools.datasets import ava_tables

_LABELS = official_labels.read("ava")


def _rounded(*corners):
    return tuple(float(np.float32(corner)) for corner in corners)


@pytest.fixture
def write(tmp_path):
    def write_text(text, name="rows.csv"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write_text


def test_rows_of_one_box_are_one_person(write):
    table = ava_tables.read_persons(
        write(
            "-film,0902,0.1,0.2,0.3,0.4,12,0\n"
            "-film,0902,0.1,0.2,0.3,0.4,80,0\n"
            "-film,0902,0.1,0.2,0.3,0.4,12,1\n"
            "-film,0903,0.5,0.0,1.0,1.0,1\n"
            "-film,0904,,,,,,\n"
        ),
        label_names=_LABELS,
    )
    assert not table.refused
    first, second = table.persons["-film", 902.0]
    assert first.corners == _rounded(0.2, 0.1, 0.4, 0.3)
    assert (first.labels, first.track, first.score) == (("stand", "watch (a person)"), 0, 1.0)
    assert (second.labels, second.track) == (("stand",), 1)
    (third,) = table.persons["-film", 903.0]
    assert third.corners == (0.0, 0.5, 1.0, 1.0)
    assert (third.labels, third.track) == (("bend/bow (at the waist)",), None)
    assert table.persons["-film", 904.0] == ()


_OUTSIDE = "the box is outside the frame (corners are shares of width and height, not pixels)"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("f,0902,0.1,0.2,1.1,0.4,12,0", _OUTSIDE),
        ("f,0902,-0.1,0.2,0.3,0.4,12,0", _OUTSIDE),
        ("f,0902,0.3,0.2,0.3,0.4,12,0", "the box has no area"),
        ("f,0902,0.1,0.4,0.3,0.2,12,0", "the box has no area"),
        ("f,0902,0.1,0.2,0.3,0.20000000001,12,0", "the box has no area"),
        ("f,0902,0.1,0.2,0.3,0.4,81,0", "label id 81 is unknown; they are 1 to 80"),
        ("f,0902,0.1,0.2,0.3,0.4,0,0", "label id 0 is unknown; they are 1 to 80"),
        ("f,0902,0.1,0.2,0.3,0.4,1.5,0", "label id '1.5' is not a number that counts"),
        ("f,0902,0.1,0.2,0.3,0.4,12,-1", "person id '-1' is not a number that counts"),
        ("f,0902,0.1,x,0.3,0.4,12,0", "y1 'x' is not a number"),
        ("f,nan,0.1,0.2,0.3,0.4,12,0", "timestamp 'nan' is not a number"),
        (",0902,0.1,0.2,0.3,0.4,12,0", "names no film"),
        ("f,0902,0.1,0.2,0.3", "has 5 columns, not 8"),
        ("f,0901,0.1,0.2,0.3,0.4,12,0", "repeats an earlier row"),
    ],
)
def test_bad_rows_are_told_with_their_number_and_the_rest_kept(write, row, reason):
    good = "f,0901,0.1,0.2,0.3,0.4,12,0\n"
    table = ava_tables.read_persons(write(f"{good}{row}\n"), label_names=_LABELS)
    (person,) = table.persons["f", 901.0]
    assert person.labels == ("stand",)
    assert sum(table.persons.values(), ()) == (person,)
    (refused,) = table.refused
    assert refused.reason == f"rows.csv row 2 ({row}): {reason}"
    assert (refused.data_path, refused.fault) == (row.partition(",")[0], True)


def test_detections(write):
    table = ava_tables.read_detections(
        write(
            "f,0902,0.1,0.2,0.3,0.4,,0.25\n"
            "f,0902,0.1,0.2,0.3,0.4,7,0.75\n"
            "f,0902,0.1,0.2,0.3,0.4,9,0.5\n"
            "f,0902,0.0,0.0,1.0,1.0,0.125\n"
            "f,0902,0.0,0.0,1.0,0.5,,1.5\n"
            "f,0902,0.0,0.0,1.0,0.5\n"
        )
    )
    first, second = table.persons["f", 902.0]
    assert first.corners == _rounded(0.2, 0.1, 0.4, 0.3)
    assert (first.labels, first.track, first.score) == ((), None, 0.75)
    assert (second.corners, second.score) == ((0.0, 0.0, 1.0, 1.0), 0.125)
    assert [one.reason.partition(": ")[2] for one in table.refused] == [
        "score 1.5 is outside [0, 1]",
        "has 6 columns, not 7 or 8",
    ]


class TestActions:
    _ITEMS = (
        'label {\n  name: "b (e.g., a {door})"\n  label_id: 2\n  label_type: PERSON_MOVEMENT\n}\n'
        'item { name: "a" id: 1 }\n'
    )

    def _read(self, write, text):
        path = write(text, "ava_action_list_v2.1.pbtxt")
        return ava_tables.read_actions(path.parent, version="2.1")

    def test_both_forms_of_the_list(self, write):
        assert self._read(write, self._ITEMS) == ("a", "b (e.g., a {door})")

    def test_without_a_list_the_committed_one(self, tmp_path):
        assert ava_tables.read_actions(tmp_path, version="2.2") == _LABELS

    def test_lists_with_gaps_or_equal_names(self, write):
        with pytest.raises(errors.UserError, match="v2.1.pbtxt: the ids are not 1 to 1"):
            self._read(write, 'item {\n  name: "a"\n  id: 2\n}\n')
        with pytest.raises(errors.UserError, match="'a' is the name of several"):
            self._read(write, self._ITEMS.replace("b (e.g., a {door})", "a"))
        with pytest.raises(errors.UserError, match="holds no action"):
            self._read(write, "")


def test_lists_of_timestamps(write, tmp_path):
    included = ava_tables.read_included(tmp_path, version="2.2")
    assert (len(included), 902.0 in included, 901.0 in included) == (897, True, False)
    assert (1798.0 in included, 1799.0 in included) == (True, False)
    write("0005\n0007\n", "ava_included_timestamps_v2.2.txt")
    assert set(ava_tables.read_included(tmp_path, version="2.2")) == {5.0, 7.0}
