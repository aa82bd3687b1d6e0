# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of tfrecords_tools.datasets.folder."""

import pytest

from official_cvrl import errors
from tfrecords_tools.datasets import folder


def test_class_folders(tmp_path, touch, labels_of):
    touch(tmp_path, "run/b.mp4", "run/a.avi", "jump/deep/c.mkv", ".git/x", "run/.y.mp4")
    found = folder.read(tmp_path)
    assert found.label_names == ("jump", "run")
    assert labels_of(found.splits["train"]) == {
        "jump/deep/c.mkv": ("jump",),
        "run/a.avi": ("run",),
        "run/b.mp4": ("run",),
    }
    clip = found.splits["train"].clips[0]
    assert (clip.path, clip.start_us, clip.end_us) == (f"{tmp_path}/jump/deep/c.mkv", 0, None)
    assert clip.example_id == "jump/deep/c.mkv"
    assert list(folder.read(tmp_path, split="mine").splits) == ["mine"]


def test_videos_alone_have_nolabels_of(tmp_path, touch, labels_of):
    touch(tmp_path, "b.mp4", "a.mp4")
    found = folder.read(tmp_path)
    assert found.label_names == ()
    assert labels_of(found.splits["train"]) == {"a.mp4": (), "b.mp4": ()}


def test_unlabelled(tmp_path, touch, labels_of):
    touch(tmp_path, "monday/b.mp4", "a.mp4")
    found = folder.read(tmp_path, unlabelled=True)
    assert found.label_names == ()
    assert labels_of(found.splits["train"]) == {"a.mp4": (), "monday/b.mp4": ()}


def test_split_folders_share_a_label_map(tmp_path, touch, labels_of):
    touch(tmp_path, "train/run/a.mp4", "train/fly/b.mp4", "val/run/a.mp4", "val/hop/c.mp4")
    found = folder.read(tmp_path)
    assert found.label_names == ("fly", "hop", "run")
    assert labels_of(found.splits["train"]) == {
        "train/fly/b.mp4": ("fly",),
        "train/run/a.mp4": ("run",),
    }
    only = folder.read(tmp_path, split="val")
    assert list(only.splits) == ["val"]
    assert only.label_names == found.label_names
    with pytest.raises(errors.UserError, match="--split=test.*train, val"):
        folder.read(tmp_path, split="test")


def test_videos_beside_split_folders_are_told(tmp_path, touch):
    touch(tmp_path, "train/run/a.mp4", "test/run/b.mp4", "loose.mp4", "README.md", ".hidden.mp4")
    found = folder.read(tmp_path).splits
    assert found["test"].refused == ()
    assert [(one.data_path, one.reason, one.fault) for one in found["train"].refused] == [
        ("README.md", "not a video by its name (.md)", False),
        ("loose.mp4", "lies beside the split folders, so is in no split", True),
    ]
    (only,) = folder.read(tmp_path, split="test").splits.values()
    assert [one.data_path for one in only.refused] == ["README.md", "loose.mp4"]


@pytest.mark.parametrize("name", ["manifest.json", "train-00000-of-00002"])
def test_records_are_no_videos(tmp_path, touch, name):
    touch(tmp_path / "run", "a.mp4", "test-00000-of-00001")
    split = folder.read(tmp_path).splits["train"]
    assert [clip.data_path for clip in split.clips] == ["run/a.mp4"]
    assert [one.reason for one in split.refused] == ["not a video by its name (a shard of records)"]
    touch(tmp_path / "my records", name)
    with pytest.raises(errors.UserError, match="a folder of records.*inspect '.*my records'"):
        folder.read(tmp_path / "my records")


def test_a_class_called_like_a_split_is_still_a_class(tmp_path, touch):
    touch(tmp_path, "train/a.mp4", "plane/b.mp4")
    assert folder.read(tmp_path).label_names == ("plane", "train")


def test_what_is_no_input_is_told(tmp_path, touch):
    touch(tmp_path, "run/a.mp4", "run/list.CSV", "loose.mp4", "run/cover.jpg", "run/b")
    split = folder.read(tmp_path).splits["train"]
    assert [clip.data_path for clip in split.clips] == ["run/a.mp4", "run/b"]
    told = {one.data_path: (one.reason, one.fault) for one in split.refused}
    assert told == {
        "loose.mp4": ("lies beside the class folders, so has no class", True),
        "run/cover.jpg": ("not a video by its name (.jpg)", False),
        "run/list.CSV": ("not a video by its name (.CSV)", False),
    }


def test_links_are_followed_once(tmp_path, touch):
    touch(tmp_path, "real/a.mp4")
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "run").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "again").symlink_to(tmp_path / "videos")
    found = folder.read(tmp_path / "videos").splits["train"]
    assert [clip.data_path for clip in found.clips] == ["run/a.mp4"]


def test_names_that_are_not_utf8(tmp_path):
    (tmp_path / "run").mkdir()
    with open(bytes(tmp_path / "run") + b"/\xff.mp4", "wb"):
        pass
    (clip,) = folder.read(tmp_path).splits["train"].clips
    assert clip.data_path == "run/\ufffd.mp4"
    assert clip.source_bytes() == 0


def test_faults(tmp_path, touch):
    with pytest.raises(errors.UserError, match="nowhere: no such folder"):
        folder.read(tmp_path / "nowhere")
    with pytest.raises(errors.UserError, match="no files"):
        folder.read(tmp_path)
    touch(tmp_path, "file")
    with pytest.raises(errors.UserError, match="is a file"):
        folder.read(tmp_path / "file")
