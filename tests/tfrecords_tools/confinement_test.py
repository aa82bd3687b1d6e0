# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""No row of an annotation file leads out of the folders that the command names."""

import pytest

from official_cvrl import errors
from tfrecords_tools import annotations, confinement, sources

_OUTSIDE = "lies outside --videos; give a --videos that holds it, if it is meant"


@pytest.fixture(name="tree")
def _tree(tmp_path, touch):
    """Videos beside a private one; a link of the user's own leads out of the folder."""
    touch(tmp_path, "videos/walk/a.mp4", "videos/b.mp4", "private/p.mp4", "lists/list.csv")
    (tmp_path / "videos" / "linked").symlink_to(tmp_path / "private")
    return tmp_path


def _read(tree, text, *, videos="videos"):
    (tree / "lists" / "list.csv").write_text(text)
    found = sources.read(
        "csv", videos=tree / videos, table=tree / "lists/list.csv", split=None, options={}
    )
    split = found.splits["train"]
    return [clip.data_path for clip in split.clips], {
        one.data_path: one.reason for one in split.refused
    }


def test_rows_of_a_table(tree):
    inside = ["b.mp4", "walk/../b.mp4", f"{tree}/videos/walk/a.mp4", "linked/p.mp4", "..mp4"]
    outside = [
        "../private/p.mp4",
        "walk/../../private/p.mp4",
        f"{tree}/private/p.mp4",
        "/etc/x.mp4",
    ]
    outside += ["../videos2/a.mp4", f"{tree}/videos/../private/p.mp4"]
    clips, refused = _read(tree, "\n".join(["path", *inside, *outside]))
    assert clips == inside
    assert refused == dict.fromkeys(outside, _OUTSIDE)


def test_the_way_out_is_a_folder_that_holds_it(tree):
    rows = ["private/p.mp4", f"{tree}/videos/b.mp4"]
    for videos in (".", "/"):
        assert _read(tree, "\n".join(["path", *rows]), videos=videos) == (rows, {})


def test_official_lists(tree):
    lists = tree / "lists"
    (lists / "classInd.txt").write_text("1 walk\n2 ..\n")
    (lists / "trainlist01.txt").write_text("walk/a.mp4 1\nwalk/../../private/p.mp4 1\n../p.mp4 2\n")
    found = sources.read(
        "ucf101", videos=tree / "videos", table=lists, split="train", options={}
    ).splits["train"]
    assert [clip.data_path for clip in found.clips] == ["walk/a.mp4"]
    assert {one.reason for one in found.refused} == {_OUTSIDE}
    assert len(found.refused) == 2


@pytest.mark.parametrize("name", ["../train", "a/b", "..", ".hidden", "/tmp/x"])
def test_shards_are_named_after_no_path(tree, name):
    with pytest.raises(errors.UserError, match="cannot be part of a file name"):
        _read(tree, f"path,split\nb.mp4,{name}\n")
    with pytest.raises(errors.UserError, match="cannot be part of a file name"):
        sources.read("csv", videos=tree, table=tree / "x", split=name, options={})


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("gs://bucket/videos/a.mp4", True),
        ("gs://bucket/videos/../private/a.mp4", False),
        ("gs://other/videos/a.mp4", False),
        ("s3://bucket/videos/a.mp4", False),
        ("/videos/a.mp4", False),
    ],
)
def test_remote_folders_too(path, kept):
    split = annotations.Split((annotations.Clip(path, "a"),))
    found = annotations.Annotations({"train": split}, ())
    confined = confinement.confine(found, videos="gs://bucket/videos/").splits["train"]
    assert (len(confined.clips), len(confined.refused)) == (kept, not kept)
