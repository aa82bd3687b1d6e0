# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A share of each class: which records these are, and that of the others no frame is read."""

import pytest
import tensorflow as tf

from official_cvrl import errors, manifest, records, shard_files
from official_cvrl.data import order, shares, subset
from tests.data import shards as tiny
from tfrecords_tools import annotations, subsets

_FRAMES = tiny.jpegs(1)


def _record(name, labels):
    return records.encode_example(
        _FRAMES,
        height=20,
        width=24,
        frame_rate=10.0,
        timestamps_us=[0],
        labels=labels,
        example_id=name,
    )


def _write(folder, serialized, *, num_shards=3, options=None):
    for index in range(num_shards):
        path = folder / manifest.shard_name("train", index=index, num_shards=num_shards)
        with tf.io.TFRecordWriter(str(path), options) as writer:
            for record in serialized[index::num_shards]:
                writer.write(record)
    return manifest.find_shards(folder, "train")


def _classes(*counts):
    return [(f"{label}/{n}", (label,)) for label, count in enumerate(counts) for n in range(count)]


def _read(shards, *, host=0, num_hosts=1):
    """The names of the records that a host reads."""
    own = shares.host_shards(shards, host=host, num_hosts=num_hosts)
    found = order.one_pass(own, compression=shards.compression).as_numpy_iterator()
    names = [records.name_and_labels(serialized)[0] for serialized in found]
    assert len(names) == sum(shard.count for shard in own)
    return names


def test_keeps_what_conversion_keeps_of_the_same_videos(tmp_path):
    videos = _classes(40, 23, 2)
    clips = [annotations.Clip("", name, (str(labels[0]),)) for name, labels in videos]
    converted = annotations.Annotations({"train": annotations.Split(tuple(clips))}, ())
    converted = subsets.keep_share(converted, fraction=0.1, seed=3).splits["train"].clips
    shards = _write(tmp_path, [_record(*video) for video in videos])
    kept = subset.keep(shards, fraction=0.1, seed=3)
    assert sorted(_read(kept)) == sorted(clip.example_id for clip in converted)
    assert kept.num_examples == 4 + 2 + 1
    assert set(_read(subset.keep(shards, fraction=0.1, seed=4))) != set(_read(kept))


@pytest.mark.parametrize("num_hosts", [1, 2, 9])
def test_hosts_share_them(tmp_path, num_hosts):
    shards = _write(tmp_path, [_record(*video) for video in _classes(30, 30)])
    kept = subset.keep(shards, fraction=0.1, seed=0)
    read = [_read(kept, host=host, num_hosts=num_hosts) for host in range(num_hosts)]
    names = [name for part in read for name in part]
    assert len(names) == len(set(names)) == 6
    assert max(map(len, read)) - min(map(len, read)) <= 1


def test_frames_of_the_others_are_not_read(tmp_path):
    shards = _write(tmp_path, [_record(*video) for video in _classes(30)], num_shards=1)
    kept = subset.keep(shards, fraction=0.1, seed=0)
    (path,) = shards.paths
    with open(path, "r+b") as file:
        for offset, start, length in shard_files.record_places(path):
            if offset not in kept.offsets:
                file.seek(start + length - 100)
                file.write(b"\0" * 100)
    assert len(_read(subset.keep(shards, fraction=0.1, seed=0))) == 3
    with pytest.raises(tf.errors.DataLossError):
        _read(shards)


def test_long_names_names_behind_the_frames_and_no_names(tmp_path):
    """One class, of which each record can be kept."""
    context = tf.train.SequenceExample.FromString(_record("behind", [0]))
    frames = tf.train.SequenceExample(feature_lists=context.feature_lists)
    context.ClearField("feature_lists")
    behind = frames.SerializeToString() + context.SerializeToString()
    written = [_record("long" * 2000, [0]), behind, _record("", [0])]
    shards = _write(tmp_path, written, num_shards=1)
    kept = {
        name for seed in range(20) for name in _read(subset.keep(shards, fraction=0.3, seed=seed))
    }
    assert kept == {"long" * 2000, "behind", ""}


def test_records_without_labels_are_one_class(tmp_path):
    shards = _write(tmp_path, [_record(f"{n}", []) for n in range(20)])
    assert subset.keep(shards, fraction=0.2, seed=0).num_examples == 4


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 1.5])
def test_what_is_no_share_is_refused(tmp_path, fraction):
    shards = _write(tmp_path, [_record("a", [0])], num_shards=1)
    with pytest.raises(errors.UserError, match=f"{fraction} must lie between 0 and 1"):
        subset.keep(shards, fraction=fraction, seed=0)


def test_compressed_shards_are_refused_with_the_way_out(tmp_path):
    shards = _write(tmp_path, [_record("a", [0])], num_shards=1, options="GZIP")
    with pytest.raises(errors.UserError, match="GZIP.*--subset"):
        subset.keep(shards, fraction=0.5, seed=0)
