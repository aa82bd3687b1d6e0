# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of tfrecords_tools.summary."""

import dataclasses

from tfrecords_tools import results, summary


def _fault(number, status):
    return results.VideoResult(path=f"{number:02}.mp4", example_id="", status=status, reason="why")


def _summary(*faults, num_kept=0):
    split = summary.SplitSummary(
        name="train",
        num_converted=9,
        num_frames=72,
        num_shards=3,
        num_kept=num_kept,
        bytes=1_500_000,
        classes=frozenset("ab"),
        faults=faults,
    )
    return summary.Summary("OUT", (split,), label_names=("a", "b"), seconds=4.04)


def test_without_faults():
    assert summary.describe(_summary()) == (
        "OUT: 9 videos in 4.0 s, 2 classes\n  train: 9 videos, 72 frames, 3 shards, 1.5 MB"
    )
    assert "3 shards (2 kept from before)" in summary.describe(_summary(num_kept=2))


def test_one_is_singular():
    (split,) = _summary().splits
    one = dataclasses.replace(split, num_converted=1, num_frames=1, num_shards=1)
    told = summary.describe(dataclasses.replace(_summary(), splits=(one,)))
    assert told.startswith("OUT: 1 video in 4.0 s")
    assert "  train: 1 video, 1 frame, 1 shard, 1.5 MB" in told


def test_classes_without_a_training_video_are_named():
    (train,) = _summary().splits
    test = dataclasses.replace(train, name="test", classes=frozenset("bc"))
    splits = dataclasses.replace(_summary(), splits=(train, test))
    assert summary.describe(splits).splitlines()[3:] == [
        "  1 class of test has no video in train: c"
    ]
    many = dataclasses.replace(test, classes=frozenset("abcdefgh"))
    told = summary.describe(dataclasses.replace(splits, splits=(train, many)))
    assert told.endswith("  6 classes of test have no video in train: c, d, e, f, g, …")
    assert "no video in train" not in summary.describe(dataclasses.replace(splits, splits=(many,)))


def test_no_labels_and_no_videos():
    whole = _summary(_fault(1, results.FAILED))
    (split,) = whole.splits
    empty = dataclasses.replace(split, name="test", num_converted=0, num_shards=0)
    told = summary.describe(
        dataclasses.replace(whole, splits=(empty,), label_names=())
    ).splitlines()
    assert told[0].startswith("OUT: 0 videos in 4.0 s, no labels")
    assert told[1].startswith("  WARNING: there is no split 'test'")
    assert told[3] == "      failed: 01.mp4: why"


def test_what_is_lost_comes_first():
    told = summary.describe(
        _summary(
            _fault(1, results.SKIPPED), _fault(2, results.INCOMPLETE), _fault(3, results.FAILED)
        )
    ).splitlines()
    assert told[2:] == [
        "    1 failed, 1 incomplete, 1 skipped; reasons in OUT/train-videos.csv:",
        "      failed: 03.mp4: why",
        "      incomplete: 02.mp4: why",
        "      skipped: 01.mp4: why",
    ]


def test_a_long_list_is_cut():
    told = summary.describe(_summary(*(_fault(n, results.FAILED) for n in range(30)))).splitlines()
    assert told[2].startswith("    30 failed")
    assert told[-2] == "      failed: 09.mp4: why"
    assert told[-1] == "      … and 20 more"
