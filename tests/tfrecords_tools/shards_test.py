# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of tfrecords_tools.shards."""

import hashlib
import pathlib

import pytest
import tensorflow as tf

from official_cvrl import records
from tfrecords_tools import annotations, plan, results, shards, video


@pytest.fixture
def spec(tmp_path, class_folders):
    clips = annotations.read_folder(class_folders).splits["train"].clips
    (tmp_path / "out").mkdir()
    return plan.ShardSpec(
        output=str(tmp_path / "out"),
        name="train-00000-of-00001",
        clips=clips,
        label_names=("fly", "jump high", "run"),
        dataset_name="folder",
        settings=video.Settings(),
        blamed=(("run/1.mp4", "it crashed"),),
    )


def _examples(spec):
    dataset = tf.data.TFRecordDataset(f"{spec.output}/{spec.name}")
    return [records.decode_example(one) for one in dataset.as_numpy_iterator()]


def test_records_say_all_there_is_to_say(spec, class_folders):
    shards.write_shard(spec)
    example = _examples(spec)[0]
    assert example.example_id == example.data_path == "jump high/0.mp4"
    assert (example.labels, example.label_names) == ((1,), ("jump high",))
    assert len(example.frames) == 6
    assert example.timestamps_us == (0, 100_000, 200_000, 300_000, 400_000, 500_000)
    assert (example.height, example.width) == (32, 48)
    assert example.frame_rate == pytest.approx(10)
    assert (example.start_us, example.end_us) == (0, 600_000)
    assert example.dataset_name == "folder"


def test_every_video_is_in_the_shard_or_in_the_report(spec):
    result = shards.write_shard(spec)
    told = {one.path: (one.status, one.reason) for one in result.videos}
    assert told.keys() == {clip.data_path for clip in spec.clips}
    assert told["run/1.mp4"] == (results.FAILED, "it crashed")
    assert told["run/empty.mp4"] == (results.FAILED, "the file is empty (0 bytes)")
    assert told["run/words.mp4"][0] == results.FAILED
    assert told["run/0.mp4"] == (results.CONVERTED, "")
    assert told["run/cut.mkv"][0] == results.INCOMPLETE
    examples = _examples(spec)
    assert [one.example_id for one in examples] == [
        one.example_id for one in result.videos if one.num_frames
    ]
    assert result.num_examples == len(examples) == 8
    jump = next(one for one in result.videos if one.path == "jump high/3.mp4")
    assert (jump.num_frames, jump.height, jump.width, jump.frame_rate) == (9, 32, 48, 10.0)
    assert (jump.seconds, jump.labels, jump.shard) == (0.9, "jump high", spec.name)


def test_the_result_describes_the_file_and_is_noted(spec):
    result = shards.write_shard(spec)
    content = pathlib.Path(spec.output, spec.name).read_bytes()
    assert result.bytes == len(content)
    assert result.sha256 == hashlib.sha256(content).hexdigest()
    assert results.read_note(spec.output, spec.name) == result


def test_the_same_specification_gives_the_same_bytes(spec):
    assert shards.write_shard(spec) == shards.write_shard(spec)


def test_a_full_disk_leaves_nothing(spec, tmp_path):
    (tmp_path / "out" / f".{spec.name}.partial").symlink_to("/dev/full")
    with pytest.raises(shards.CANNOT_WRITE, match="No space left"):
        shards.write_shard(spec)
    assert not list((tmp_path / "out").iterdir())


def test_watch_hears_of_every_clip_and_frame(spec):
    heard = []
    watch = shards.Watch(
        on_start=heard.append, on_frame=lambda: heard.append("f"), on_end=lambda: heard.append("e")
    )
    result = shards.write_shard(spec, watch=watch)
    assert [one for one in heard if isinstance(one, int)] == list(range(len(spec.clips)))
    assert heard.count("e") == len(spec.clips)
    assert heard.count("f") == sum(one.num_frames for one in result.videos)
