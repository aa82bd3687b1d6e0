# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of tfrecords_tools.official_labels."""

import pytest

from tfrecords_tools import official_labels


@pytest.mark.parametrize(
    ("name", "count", "first", "last"),
    [
        ("kinetics400", 400, "abseiling", "zumba"),
        ("kinetics600", 600, "abseiling", "zumba"),
        ("kinetics700", 700, "abseiling", "zumba"),
        ("hmdb51", 51, "brush_hair", "wave"),
        ("ava", 80, "bend/bow (at the waist)", "work on a computer"),
    ],
)
def test_label_maps(name, count, first, last):
    labels = official_labels.read(name)
    assert (len(labels), labels[0]) == (count, first)
    assert len(set(labels)) == count
    assert all(label == label.strip() for label in labels)
    if name != "ava":  # Whose order is that of the action ids.
        assert list(labels) == sorted(labels)
        assert labels[-1] == last


def test_ava_indices_are_the_action_ids_minus_one():
    labels = official_labels.read("ava")
    ids = {"stand": 12, "carry/hold (an object)": 17, "watch (a person)": 80}
    assert {label: labels.index(label) + 1 for label in ids} == ids
