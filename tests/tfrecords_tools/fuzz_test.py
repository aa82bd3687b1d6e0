# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Whatever is done to videos, shards and records, the tools end with words.

A small slice of benchmarks/fuzz.py, with the same damage each time.
"""

import numpy as np
import pytest
import tensorflow as tf

from official_cvrl import records
from tests.tfrecords_tools import damage
from tfrecords_tools import check, convert, results

_VIDEOS, _SHARDS, _RECORDS = 140, 60, 150


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Converts damaged videos, and sound ones so that there is something in the shards."""
    root = tmp_path_factory.mktemp("fuzz")
    generator = np.random.default_rng(0)
    (root / "videos").mkdir()
    contents = [damage.write_video(root / "videos", name) for name in damage.sound_videos()]
    for number in range(_VIDEOS):
        content = damage.damage(contents[number % len(contents)], generator)[1]
        name = damage.sound_videos()[number % len(contents)]
        (root / "videos" / f"~{number}.{name}").write_bytes(content)  # Behind the sound ones.
    convert.convert(
        dataset="folder",
        unlabelled=True,
        videos=root / "videos",
        output=root / "shards",
        workers=2,
        num_shards=2,
        quiet=True,
    )
    return root / "shards"


def test_every_damaged_video_is_in_a_shard_or_told_with_its_reason(shards):
    report = results.read_report(shards, "train")
    told = {one.path: one for one in report}
    assert len(told) == len(report) == _VIDEOS + len(damage.sound_videos())
    for name in damage.sound_videos():
        assert (told[name].status, told[name].num_frames) == (results.CONVERTED, 16), name
    assert all(one.reason for one in report if one.status != results.CONVERTED)
    statuses = [one.status for one in report]
    assert min(statuses.count(one) for one in (results.FAILED, results.INCOMPLETE)) > 10
    assert check.check_split(shards, "train", quiet=True) == []


def test_every_damaged_shard_is_told(shards, tmp_path):
    content = min(shards.glob("train-0*"), key=lambda path: path.stat().st_size).read_bytes()
    generator = np.random.default_rng(1)
    for _ in range(_SHARDS):
        damaged = damage.damage(content, generator)[1]
        (tmp_path / "train-00000-of-00001").write_bytes(damaged)
        faults = check.check_split(tmp_path, "train", quiet=True)
        assert damaged == content or faults


def test_every_damaged_record_is_read_or_refused_alike_by_both_readers(shards):
    paths = sorted(map(str, shards.glob("train-0*")))
    serialized = next(iter(tf.data.TFRecordDataset(paths).as_numpy_iterator()))
    parse = tf.function(records.parse_example, input_signature=[tf.TensorSpec([], tf.string)])
    generator = np.random.default_rng(2)
    outcomes = []
    for _ in range(_RECORDS):
        damaged = damage.damage(serialized, generator)[1]
        fault = records.diagnose(damaged)
        outcomes.append(fault is None)
        if fault is None:
            parse(tf.constant(damaged))
        else:
            with pytest.raises(ValueError, match=".{20}"):
                records.decode_example(damaged)
    assert 20 < sum(outcomes) < _RECORDS - 20
