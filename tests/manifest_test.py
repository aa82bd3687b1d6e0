# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of official_cvrl.manifest."""

import hashlib
import io
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from official_cvrl import errors, manifest, records


def _record(number=0):
    buffer = io.BytesIO()
    Image.fromarray(np.full((6, 8, 3), number, np.uint8)).save(buffer, "JPEG")
    return records.encode_example(
        [buffer.getvalue()],
        height=6,
        width=8,
        frame_rate=25.0,
        timestamps_us=[0],
        example_id=str(number),
    )


def _write(path, *, num_records=1, compression=""):
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for number in range(num_records):
            writer.write(_record(number))


def _entry(*paths, num_examples):
    shards = [
        {
            "name": path.name,
            "num_examples": num_examples,
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in paths
    ]
    return {"shards": shards, "num_examples": num_examples * len(paths)}


@pytest.mark.parametrize("compression", ["", "GZIP"])
@pytest.mark.parametrize("suffix", ["", ".tfrecord"])
def test_finds_orders_and_counts(tmp_path, compression, suffix):
    for index in (1, 0, 2):
        path = tmp_path / f"train-{index:05d}-of-00003{suffix}"
        _write(path, num_records=index + 1, compression=compression)
    (tmp_path / "labels.txt").write_text("run\njump high\n")
    shards = manifest.find_shards(tmp_path, "train")
    assert [path.split("-")[-3] for path in shards.paths] == ["00000", "00001", "00002"]
    assert shards.num_examples == 6
    assert shards.label_names == ("run", "jump high")
    assert shards.compression == compression
    assert shards.split == "train"


def test_splits_are_listed_and_named_when_one_is_missing(tmp_path):
    _write(tmp_path / "val-00000-of-00001")
    _write(tmp_path / "train-1pct-00000-of-00001")
    (tmp_path / "manifest.json.old").write_text("")
    assert manifest.list_splits(tmp_path) == ("train-1pct", "val")
    with pytest.raises(errors.UserError, match="(?s)'train'.*train-1pct, val"):
        manifest.find_shards(tmp_path, "train")


def test_manifest_counts_are_used_only_while_sizes_agree(tmp_path):
    path = tmp_path / "train-00000-of-00001"
    _write(path, num_records=2)
    manifest.write_split(tmp_path, split="train", entry=_entry(path, num_examples=7))
    assert manifest.find_shards(tmp_path, "train").num_examples == 7
    _write(path, num_records=3)
    assert manifest.find_shards(tmp_path, "train").num_examples == 3


def test_a_shard_the_manifest_knows_to_hold_nothing_is_left_out(tmp_path):
    empty, full = tmp_path / "train-00000-of-00002", tmp_path / "train-00001-of-00002"
    _write(empty, num_records=0)
    _write(full)
    entry = _entry(empty, full, num_examples=1)
    entry["shards"][0]["num_examples"] = 0
    manifest.write_split(tmp_path, split="train", entry=entry)
    shards = manifest.find_shards(tmp_path, "train")
    assert shards.paths == (str(full),)
    assert shards.num_examples == 1


def test_no_such_directory(tmp_path):
    with pytest.raises(errors.UserError, match="nowhere.*no such directory"):
        manifest.find_shards(tmp_path / "nowhere", "train")
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.UserError, match="is a file"):
        manifest.list_splits(tmp_path / "file")


def test_missing_shard_is_named(tmp_path):
    _write(tmp_path / "train-00001-of-00003")
    with pytest.raises(errors.UserError, match="2 of 3 shards.*train-00000-of-00003"):
        manifest.find_shards(tmp_path, "train")


def test_two_conversions_in_one_folder(tmp_path):
    _write(tmp_path / "train-00000-of-00001")
    _write(tmp_path / "train-00000-of-00002")
    with pytest.raises(errors.UserError, match="of-00001 and of-00002"):
        manifest.find_shards(tmp_path, "train")


def test_empty_shard(tmp_path):
    (tmp_path / "train-00000-of-00001").write_bytes(b"")
    with pytest.raises(errors.UserError, match="train-00000-of-00001.*empty"):
        manifest.find_shards(tmp_path, "train")


@pytest.mark.parametrize("compression", ["", "GZIP"])
@pytest.mark.parametrize("cut", [1, 300])
def test_truncated_shard_is_named(tmp_path, compression, cut):
    path = tmp_path / "train-00000-of-00001"
    _write(path, num_records=3, compression=compression)
    entry = _entry(path, num_examples=3)
    manifest.write_split(tmp_path, split="train", entry=entry)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(errors.UserError, match="train-00000-of-00001.*truncated"):
        manifest.find_shards(tmp_path, "train")


def test_not_a_record_file(tmp_path):
    (tmp_path / "train-00000-of-00001").write_text("these are words, not records" * 9)
    with pytest.raises(errors.UserError, match="not a TFRecord"):
        manifest.find_shards(tmp_path, "train")


def test_damaged_first_record(tmp_path):
    path = tmp_path / "train-00000-of-00001"
    _write(path)
    damaged = bytearray(path.read_bytes())
    damaged[60] ^= 255
    path.write_bytes(damaged)
    with pytest.raises(errors.UserError, match="record 0 is damaged"):
        manifest.find_shards(tmp_path, "train")


def test_other_layout_is_explained(tmp_path):
    with tf.io.TFRecordWriter(str(tmp_path / "train-00000-of-00001")) as writer:
        writer.write(tf.train.SequenceExample().SerializeToString() or b"\x12\x00")
    with pytest.raises(errors.UserError, match="record 0 cannot be read: .*no frames"):
        manifest.find_shards(tmp_path, "train")


def test_mixed_compression(tmp_path):
    _write(tmp_path / "train-00000-of-00002", compression="GZIP")
    _write(tmp_path / "train-00001-of-00002")
    with pytest.raises(errors.UserError, match="train-00000-of-00002 is GZIP and train-00001"):
        manifest.find_shards(tmp_path, "train")


def test_write_split_keeps_other_splits_and_leaves_nothing_beside(tmp_path):
    manifest.write_split(tmp_path, split="train", entry={"num_examples": 1})
    manifest.write_split(tmp_path, split="test", entry={"num_examples": 2})
    manifest.write_split(tmp_path, split="train", entry={"num_examples": 3})
    content = manifest.read_manifest(tmp_path)
    assert content["splits"] == {"train": {"num_examples": 3}, "test": {"num_examples": 2}}
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        json.dumps({"format": 99, "splits": []}),
        json.dumps({"format": 1}),
        json.dumps({"format": 1, "splits": []}),
        json.dumps({"format": 1, "splits": {"train": []}}),
        json.dumps({"format": 1, "splits": {"train": {"shards": 3}}}),
        json.dumps({"format": 1, "splits": {"train": {"shards": [{"name": "a"}]}}}),
        json.dumps(
            {
                "format": 1,
                "splits": {"train": {"shards": [{"name": "a", "bytes": "9", "num_examples": 1}]}},
            }
        ),
        json.dumps({"format": 1, "splits": {"train": {"settings": [1]}}}),
    ],
)
def test_unreadable_manifest_is_named(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(errors.UserError, match="manifest.json"):
        manifest.read_manifest(tmp_path)


def test_labels_round_trip(tmp_path):
    assert manifest.read_labels(tmp_path) == ()
    manifest.write_labels(tmp_path, ["a b", "ü", "c"])
    assert manifest.read_labels(tmp_path) == ("a b", "ü", "c")


@pytest.mark.parametrize("name", ["a\nb", "a\u2028b", "a\x85b", "a\r", ""])
def test_a_class_name_that_is_no_line_is_refused_and_nothing_written(tmp_path, name):
    with pytest.raises(errors.UserError, match="class name .* line break"):
        manifest.write_labels(tmp_path, ["good", name])
    assert not list(tmp_path.iterdir())


def test_labels_of_others(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_bytes("\ufeffone\u2028half\r\ntwo\x0bhalves\r\n".encode())
    assert manifest.read_labels(tmp_path) == ("one\u2028half", "two\x0bhalves")
    path.write_bytes(b"caf\xe9\n")
    with pytest.raises(errors.UserError, match=r"labels.txt: cannot be read.*UTF-8"):
        manifest.read_labels(tmp_path)


def test_shard_name():
    assert manifest.shard_name("train", index=3, num_shards=10) == "train-00003-of-00010"
