# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of tfrecords_tools.duplicates."""

import pytest

from tfrecords_tools import annotations, duplicates


@pytest.fixture
def mark(tmp_path):
    """A function that writes files and tells of which earlier one each clip is a duplicate."""

    def run(contents, **splits):
        for name, content in contents.items():
            if content is not None:
                (tmp_path / name).write_bytes(content)
        clips = {
            split: tuple(
                annotations.Clip(str(tmp_path / name), name, labels, *part)
                for name, labels, *part in entries
            )
            for split, entries in splits.items()
        }
        found = annotations.Annotations(
            {split: annotations.Split(of_split) for split, of_split in clips.items()}, ("run",)
        )
        marked = duplicates.mark(found).splits
        return {split: [clip.same_as for clip in marked[split].clips] for split in splits}

    return run


def test_the_first_of_equal_files_counts(mark):
    contents = {"a": b"one", "b": b"two", "c": b"one", "d": b"longer", "e": b"one"}
    marked = mark(contents, train=[(name, ("run",)) for name in contents])
    assert marked == {"train": ["", "", "a", "", "a"]}


def test_other_labels_other_parts_and_other_splits_are_no_duplicates(mark):
    marked = mark(
        {"a": b"one", "b": b"one"},
        train=[("a", ("run",)), ("b", ("walk",)), ("b", ("run",), 5, 9), ("b", ("run",), 9, 12)],
        test=[("b", ("run",))],
    )
    assert marked == {"train": [""] * 4, "test": [""]}


def test_missing_empty_and_unreadable_files_are_left_to_the_decoder(mark, tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    contents = {"a": None, "b": None, "c": b"", "d": b"", "loop": None}
    assert mark(contents, train=[(name, ()) for name in contents]) == {"train": [""] * 5}
