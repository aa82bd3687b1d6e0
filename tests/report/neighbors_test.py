# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Nearest neighbours are the videos that look the same to the model."""

import io
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from official_cvrl import errors, manifest, run_info
from official_cvrl.report import neighbors
from tests.report import conftest


def _find(tmp_path, **more):
    run = conftest.write_run(tmp_path / "run", data_dir=tmp_path / "records")
    conftest.write_checkpoint(run)
    return neighbors.find(run, run_info.read(run), **more)


def _names(query):
    return [neighbor.video.name for neighbor in query.neighbors]


def test_the_same_pictures_are_nearest(tmp_path):
    conftest.write_split(
        tmp_path / "records", "train", [(f"t{seed}", seed % 2, seed) for seed in range(5)]
    )
    conftest.write_split(tmp_path / "records", "test", [("q3", 1, 3), ("q0", 1, 0)])
    manifest.write_labels(tmp_path / "records", ["left", "right"])
    gallery = _find(tmp_path)
    assert [query.video.name for query in gallery.queries] == ["q3", "q0"]
    assert [_names(query)[0] for query in gallery.queries] == ["t3", "t0"]
    for query in gallery.queries:
        similarities = [neighbor.similarity for neighbor in query.neighbors]
        assert similarities[0] == pytest.approx(1, abs=1e-5)
        assert similarities == sorted(similarities, reverse=True)
        assert len(similarities) == 4
        assert query.neighbors[0].video.strip == query.video.strip
        for neighbor in query.neighbors:
            assert neighbor.is_right == (neighbor.video.label == query.video.label)
    assert gallery.queries[0].video.label == "right"
    assert gallery.right_share == 0.5
    assert gallery.train_share == (5, 5)
    assert gallery.query_share == (2, 2)
    assert os.path.basename(gallery.checkpoint) == "ckpt-30"


def test_the_frames_are_of_the_middle_clip(tmp_path):
    conftest.write_records(tmp_path / "records", train=2, test=1)
    video = _find(tmp_path).queries[0].video
    assert video.num_frames == 4
    strip = np.asarray(Image.open(io.BytesIO(video.strip)), np.int32)
    # The middle 4 of 6 frames are 1 … 4; a frame is 20 pixels high, of 24 the middle 20 are shown.
    for place, index in enumerate((1, 2, 3, 4)):
        jpeg = conftest.frames(0)[index]
        frame = np.asarray(Image.open(io.BytesIO(jpeg)), np.int32)[:, 2:22]
        shown = strip[:, 20 * place : 20 * place + 20]
        assert np.abs(shown - frame).mean() < 6, index


def test_without_labels_nothing_is_right_or_wrong(tmp_path):
    conftest.write_records(tmp_path / "records", label_names=())
    gallery = _find(tmp_path)
    assert gallery.right_share is None
    assert {neighbor.is_right for query in gallery.queries for neighbor in query.neighbors} == {
        None
    }
    assert gallery.queries[0].video.label == ""


def test_without_a_test_split_no_video_is_its_own_neighbour(tmp_path):
    conftest.write_records(tmp_path / "records", train=4, test=0)
    os.remove(tmp_path / "records" / manifest.shard_name("test", index=0, num_shards=1))
    gallery = _find(tmp_path)
    assert gallery.query_split == "train"
    assert len(gallery.queries) == 4
    for query in gallery.queries:
        assert sorted([query.video.name, *_names(query)]) == [f"train/{n}.mp4" for n in range(4)]


def test_only_so_many_videos_are_embedded(tmp_path):
    conftest.write_records(tmp_path / "records", train=9, test=5)
    gallery = _find(tmp_path, max_train_videos=5)
    assert gallery.train_share == (5, 9)
    assert gallery.query_share == (1, 5)
    assert set(_names(gallery.queries[0])) <= {f"train/{n}.mp4" for n in range(5)}


def test_of_many_shards_as_few_as_needed_are_read(tmp_path):
    data_dir, part = tmp_path / "records", tmp_path / "part"
    conftest.write_split(data_dir, "test", [("q", 1, 6)])
    for index, numbers in enumerate(((0,), (1, 2, 3), (4, 5), (6, 7))):
        conftest.write_split(part, "train", [(f"t{n}", n % 2, n) for n in numbers])
        (part / manifest.shard_name("train", index=0, num_shards=1)).rename(
            data_dir / manifest.shard_name("train", index=index, num_shards=4)
        )
    gallery = _find(tmp_path, max_train_videos=4)
    (query,) = gallery.queries
    assert sorted(_names(query)) == ["t0", "t6", "t7"]
    assert query.neighbors[0].video.name == "t6"
    assert query.neighbors[0].video.strip == query.video.strip
    assert gallery.train_share == (3, 8)


@pytest.mark.parametrize("gone", ["data", "checkpoint", "clip"])
def test_what_is_missing_is_named(tmp_path, gone):
    conftest.write_records(tmp_path / "records")
    run = conftest.write_run(
        tmp_path / "run",
        data_dir=tmp_path / "records",
        clip=None if gone == "clip" else conftest.CLIP,
    )
    if gone != "checkpoint":
        conftest.write_checkpoint(run)
    if gone == "data":
        shutil.rmtree(tmp_path / "records")
    words = {"data": "records: no such directory", "checkpoint": "No checkpoint", "clip": "clips"}
    with pytest.raises(errors.UserError, match=words[gone]):
        neighbors.find(run, run_info.read(run))


def test_records_that_break_off(tmp_path):
    data_dir = tmp_path / "records"
    conftest.write_records(data_dir)
    shard = data_dir / manifest.shard_name("train", index=0, num_shards=1)
    content = bytearray(shard.read_bytes())
    content[-200] ^= 255
    shard.write_bytes(content)
    with pytest.raises(errors.UserError, match="records cannot be read: corrupted record"):
        _find(tmp_path)


@pytest.mark.parametrize(
    ("labels", "count", "expected"),
    [
        ([2, 2, 0, 1, 0, 1], 3, [2, 3, 0]),
        ([0, 0, 0, 1, 1, 1], 4, [0, 1, 3, 4]),
        ([5, 4, 3, 2, 1, 0], 3, [5, 3, 0]),
        ([-1, -1, -1], 2, [0, 1]),
        ([0], 8, [0]),
    ],
)
def test_choose_shows_many_classes(labels, count, expected):
    assert neighbors.choose(np.array(labels), count) == expected
