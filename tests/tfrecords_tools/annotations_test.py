# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of tfrecords_tools.annotations."""

import pytest

from tfrecords_tools import annotations


@pytest.mark.parametrize(
    ("times", "name", "example_id"),
    [
        ({}, "", "a.mp4"),
        ({"start_us": 1_500_000}, "", "a.mp4@1.5-"),
        ({"end_us": 10_000_000}, "", "a.mp4@0-10"),
        ({"start_us": 1, "end_us": 2_250_000}, "", "a.mp4@0.000001-2.25"),
        ({"start_us": 1_500_000}, "a_1", "a_1"),
    ],
)
def test_example_id(times, name, example_id):
    assert annotations.Clip("", "a.mp4", name=name, **times).example_id == example_id


def test_classes_are_those_of_the_clip_and_of_the_persons_in_it():
    corners = (0.0, 0.0, 1.0, 1.0)
    persons = (annotations.Person(corners, ("b", "a")), annotations.Person(corners, ("a", "c")))
    clip = annotations.Clip("", "", ("a",), key_frame=annotations.KeyFrame(0, persons))
    assert clip.classes == ("a", "b", "c")
    assert annotations.Clip("", "").classes == ()


def test_sorted_labels():
    clips = [annotations.Clip("", "", labels) for labels in (("b", "a"), (), ("c",), ("b",))]
    splits = [annotations.Split(tuple(clips[:2])), annotations.Split(tuple(clips[2:]))]
    assert annotations.sorted_labels(splits) == ("a", "b", "c")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.mp4", True), ("b", True), ("c.GIF", True), ("d.JPG", False), ("e.mp4.zip", False)],
)
def test_may_be_video(name, expected):
    assert annotations.may_be_video(name) == expected
