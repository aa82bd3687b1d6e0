# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of tfrecords_tools.datasets.ava."""

import pytest

from official_cvrl import errors
from tfrecords_tools import official_labels
from tfrecords_tools.datasets import ava


@pytest.fixture
def lists(tmp_path):
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "ava_train_v2.2.csv").write_text(
        "-aB,0902,0.25,0.5,0.75,1.0,12,3\n"
        "-aB,0903,0.25,0.5,0.75,1.0,12,3\n"
        "-aB,0901,0.25,0.5,0.75,1.0,12,3\n"
        "-aB,1000,0.25,0.5,0.75,1.0,99,3\n"
        "-aB,1001,0.25,0.5,0.75,1.0,12,3\n"
    )
    (lists / "ava_val_v2.2.csv").write_text("c,1798,0.0,0.0,0.5,0.5,80,0\n")
    (lists / "ava_train_excluded_timestamps_v2.2.csv").write_text("-aB,0903\nc,1798\n")
    (lists / "ava_val_excluded_timestamps_v2.2.csv").write_text("-aB,0902\n")
    return lists


@pytest.fixture
def videos(tmp_path, touch):
    touch(tmp_path / "films", "train/-aB.mkv")
    return tmp_path / "films"


def test_a_clip_around_each_key_frame(lists, videos):
    found = ava.read(lists, videos=videos)
    assert found.label_names == official_labels.read("ava")
    assert {name: len(split.clips) for name, split in found.splits.items()} == {
        "train": 2,
        "val": 1,
    }
    clip = found.splits["train"].clips[0]
    assert (clip.path, clip.data_path) == (f"{videos}/train/-aB.mkv", "train/-aB.mkv")
    assert (clip.start_us, clip.end_us) == (900_500_000, 903_500_000)
    assert (clip.key_frame.time_us, clip.example_id) == (902_000_000, "-aB@902")
    (person,) = clip.key_frame.persons
    assert (person.corners, person.labels, person.track) == ((0.5, 0.25, 1.0, 0.75), ("stand",), 3)
    missing = found.splits["val"].clips[0]
    assert (missing.path, missing.source_bytes()) == (f"{videos}/c", -1)
    assert found.settings == {"version": "2.2", "clip_seconds": 3.0, "film_start": 0.0}


def test_what_makes_no_record_is_told(lists, videos):
    told = ava.read(lists, videos=videos, split="train").splits["train"].refused
    assert [(one.data_path, one.reason, one.fault) for one in told] == [
        (
            "-aB",
            "ava_train_v2.2.csv row 4 (-aB,1000,0.25,0.5,0.75,1.0,99,3): label id 99 is unknown; "
            "they are 1 to 80",
            True,
        ),
        ("-aB", "the key frame at 903 s: an excluded timestamp", False),
        ("-aB", "the key frame at 901 s: not among the included timestamps", True),
    ]


def test_films_that_begin_later_and_longer_clips(lists, videos):
    split = ava.read(lists, videos=videos, split="train", clip_seconds=8, film_start=900).splits
    clip = split["train"].clips[0]
    assert (clip.start_us, clip.end_us, clip.key_frame.time_us) == (0, 6_000_000, 2_000_000)
    assert clip.example_id == "-aB@902"
    split = ava.read(lists, videos=videos, split="train", film_start=1000.5).splits["train"]
    assert [one.example_id for one in split.clips] == ["-aB@1001"]
    assert split.refused[-1].reason == "the key frame at 901 s: not among the included timestamps"
    assert "the key frame at 902 s: before --film_start=1000.5" in {
        one.reason for one in split.refused
    }


def test_detected_boxes_stand_beside_the_ground_truth(lists, videos, tmp_path):
    (tmp_path / "boxes.csv").write_text(
        "-aB,0902,0.0,0.0,0.5,0.5,,0.5\n"
        "-aB,0904,0.0,0.0,0.5,0.5,,0.75\n"
        "-aB,0903,0.0,0.0,0.5,0.5,,0.75\n"
        "c,1798,0.0,0.0,2.0,0.5,,0.75\n"
        "x,0902,0.0,0.0,0.5,0.5,,0.75\n"
        "x,0903,0.0,0.0,0.5,0.5,,0.75\n"
    )
    found = ava.read(lists, videos=videos, detected_boxes=tmp_path / "boxes.csv")
    persons = {
        clip.example_id: [(one.labels, one.score, one.track) for one in clip.key_frame.persons]
        for split in found.splits.values()
        for clip in split.clips
    }
    assert persons == {
        "-aB@902": [(("stand",), 1.0, 3), ((), 0.5, None)],
        "-aB@904": [((), 0.75, None)],
        "-aB@1001": [(("stand",), 1.0, 3)],
        "c@1798": [(("watch (a person)",), 1.0, 0)],
    }
    told = {
        name: [(one.data_path, one.reason) for one in split.refused if "0901" not in one.reason]
        for name, split in found.splits.items()
    }
    assert ("x", "2 detected boxes, but the film is not in train or val") in told["train"]
    outside = "the box is outside the frame (corners are shares of width and height, not pixels)"
    assert told["val"] == [("c", f"boxes.csv row 4 (c,1798,0.0,0.0,2.0,0.5,,0.75): {outside}")]


def test_a_detection_like_a_ground_truth_box_of_no_person(lists, videos, tmp_path):
    (lists / "ava_train_v2.2.csv").write_text("-aB,0902,0.25,0.5,0.75,1.0,12\n")
    (tmp_path / "boxes.csv").write_text("-aB,0902,0.25,0.5,0.75,1.0,,0.5\n")
    found = ava.read(lists, videos=videos, split="train", detected_boxes=tmp_path / "boxes.csv")
    (clip,) = found.splits["train"].clips
    assert [one.labels for one in clip.key_frame.persons] == [("stand",)]
    assert [one.reason for one in found.splits["train"].refused] == [
        "the key frame at 902 s: a detected box is one of the ground truth"
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"split": "test"}, "--split=test: AVA has train and val"),
        ({"version": "2.0"}, "--version=2.0: AVA has 2.2, 2.1"),
        ({"version": "2.1"}, "ava_train_v2.1.csv: cannot be read.*official files"),
        ({"clip_seconds": 0.0}, "--clip_seconds=0.0 must be above 0 and at most 60"),
        ({"clip_seconds": 61.0}, "--clip_seconds=61.0"),
        ({"film_start": -1.0}, "--film_start=-1.0"),
        ({"detected_boxes": "/no/boxes.csv"}, "/no/boxes.csv: cannot be read"),
    ],
)
def test_faults(lists, videos, arguments, words):
    with pytest.raises(errors.UserError, match=words):
        ava.read(lists, videos=videos, **arguments)
    excluded = lists / "ava_val_excluded_timestamps_v2.2.csv"
    excluded.write_text("-aB,0902\n-aB;0903\n")
    with pytest.raises(errors.UserError, match=r"(?s)excluded.*line 2 \(-aB;0903\): has 1 columns"):
        ava.read(lists, videos=videos)
    excluded.unlink()
    with pytest.raises(errors.UserError, match="ava_val_excluded_timestamps_v2.2.csv"):
        ava.read(lists, videos=videos)
