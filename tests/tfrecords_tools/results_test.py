# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of tfrecords_tools.results."""

from tfrecords_tools import results

_VIDEO = results.VideoResult(
    path="a, b/ü\n.mp4",
    example_id="a, b/ü\n.mp4@1-2",
    status=results.INCOMPLETE,
    reason='"3 of 5"',
    labels="x|y",
    shard="train-00000-of-00001",
    num_frames=3,
    height=4,
    width=5,
    frame_rate=29.97,
    seconds=0.1,
    source_bytes=77,
)
_FAILED = results.VideoResult(path="0.mp4", example_id="", status=results.FAILED)
_SHARD = results.ShardResult(
    name="train-00000-of-00001", num_examples=1, bytes=9, sha256="ab", videos=(_VIDEO, _FAILED)
)


def test_notes_round_trip_and_can_be_forgotten(tmp_path):
    assert results.read_note(tmp_path, _SHARD.name) is None
    results.write_note(tmp_path, _SHARD)
    assert results.read_note(tmp_path, _SHARD.name) == _SHARD
    results.remove_note(tmp_path, _SHARD.name)
    assert results.read_note(tmp_path, _SHARD.name) is None


def test_a_damaged_note_is_no_note(tmp_path):
    results.write_note(tmp_path, _SHARD)
    (note,) = (tmp_path / results.NOTES_FOLDER).iterdir()
    for text in ("", "{}", "[]", note.read_text()[:-9], '{"name": 1, "videos": [{"path": 2}]}'):
        note.write_text(text)
        assert results.read_note(tmp_path, _SHARD.name) is None


def test_report_round_trips_sorted_by_path(tmp_path):
    assert results.read_report(tmp_path, "train") == []
    results.write_report(tmp_path, split="train", videos=[_VIDEO, _FAILED])
    assert results.read_report(tmp_path, "train") == [_FAILED, _VIDEO]
    header = (tmp_path / "train-videos.csv").read_text().splitlines()[0]
    assert header.startswith("path,example_id,status,reason,labels,shard,num_frames")
    (tmp_path / "train-videos.csv").write_text("path,other\n1,2\n")
    assert results.read_report(tmp_path, "train") == []


def test_noted_tells_of_whole_notes_alone(tmp_path):
    assert results.noted(tmp_path) == set()
    results.write_note(tmp_path, results.ShardResult("train-00000-of-00001", 0, 0, "", ()))
    (tmp_path / results.NOTES_FOLDER / ".train-00001-of-00002.json~0a.partial").write_text("{")
    assert results.noted(tmp_path) == {"train-00000-of-00001"}
