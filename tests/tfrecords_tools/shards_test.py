# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of tfrecords_tools.shards."""

import hashlib
import pathlib
import secrets

import pytest
import tensorflow as tf

from official_cvrl import records
from tfrecords_tools import annotations, plan, results, shards, video
from tfrecords_tools.datasets import folder


@pytest.fixture
def spec(tmp_path, class_folders):
    clips = folder.read(class_folders).splits["train"].clips
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


def test_a_full_disk_leaves_no_note_of_a_shard(spec, tmp_path, monkeypatch):
    monkeypatch.setattr(secrets, "token_hex", lambda num_bytes: "0")
    notes = tmp_path / "out" / results.NOTES_FOLDER
    notes.mkdir()
    (notes / f".{spec.name}.json~0.partial").symlink_to("/dev/full")
    with pytest.raises(shards.CANNOT_WRITE, match="No space left"):
        shards.write_shard(spec)
    assert not list(notes.iterdir())


def test_watch_hears_of_every_clip_and_frame(spec):
    heard = []
    watch = shards.Watch(
        on_start=heard.append, on_frame=lambda: heard.append("f"), on_end=lambda: heard.append("e")
    )
    result = shards.write_shard(spec, watch=watch)
    assert [one for one in heard if isinstance(one, int)] == list(range(len(spec.clips)))
    assert heard.count("e") == len(spec.clips)
    assert heard.count("f") == sum(one.num_frames for one in result.videos)


def _write(tmp_path, clip, **settings):
    """Writes one clip and returns its record, or None, and what is told about it."""
    spec = plan.ShardSpec(
        output=str(tmp_path),
        name="train-00000-of-00001",
        clips=(clip,),
        label_names=("fly", "run"),
        dataset_name="mine",
        settings=video.Settings(**settings),
    )
    (told,) = shards.write_shard(spec).videos
    return next(iter(_examples(spec)), None), told


class TestCutOrWhole:
    """Files named like the whole video, of which a clip between 6 and 8 s is wanted."""

    def _read(self, tmp_path, write_video, *, seconds, start=6):
        path = write_video(tmp_path / "a.mp4", num_frames=round(seconds * 10), rate=10)
        clip = annotations.Clip(
            str(path),
            "a.mp4",
            ("run",),
            start * 1_000_000,
            (start + 2) * 1_000_000,
            name="a_6_8",
            may_be_cut=True,
        )
        example, told = _write(tmp_path, clip)
        return example, told

    @pytest.mark.parametrize("seconds", [1.8, 2, 4.4])
    def test_a_short_file_is_the_clip(self, tmp_path, write_video, seconds):
        example, told = self._read(tmp_path, write_video, seconds=seconds)
        assert len(example.frames) == round(seconds * 10)
        assert (example.timestamps_us[0], example.start_us) == (0, 0)
        assert (example.example_id, told.status) == ("a_6_8", results.CONVERTED)

    @pytest.mark.parametrize("seconds", [7.6, 8, 12])
    def test_a_long_file_is_cut(self, tmp_path, write_video, seconds):
        example, told = self._read(tmp_path, write_video, seconds=seconds)
        assert example.timestamps_us[0] == example.start_us == 6_000_000
        assert len(example.frames) == round(min(seconds, 8) * 10) - 60
        assert example.example_id == "a_6_8"

    @pytest.mark.parametrize("seconds", [2.6, 3, 4])
    def test_a_short_file_that_reaches_the_end_is_cut(self, tmp_path, write_video, seconds):
        example, _ = self._read(tmp_path, write_video, seconds=seconds, start=1)
        assert example.timestamps_us[0] == 1_000_000
        example, _ = self._read(tmp_path, write_video, seconds=2.4, start=1)
        assert len(example.frames) == 24

    def test_a_whole_file_that_ends_too_early_is_told(self, tmp_path, write_video):
        example, told = self._read(tmp_path, write_video, seconds=7)
        assert len(example.frames) == 10
        assert (told.status, told.reason) == ("incomplete", "the first 1.0 of 2.0 s decode")
        example, told = self._read(tmp_path, write_video, seconds=5)
        assert example is None
        assert told.reason == "too short: no frames decode between 6 s and 8 s"

    def test_a_file_that_cannot_be_opened(self, tmp_path):
        (tmp_path / "a.mp4").write_text("words")
        clip = annotations.Clip(str(tmp_path / "a.mp4"), "a", (), 1, 2, may_be_cut=True)
        example, told = _write(tmp_path, clip)
        assert example is None
        assert told.reason.startswith("unreadable: ")


class TestKeyFrame:
    _PERSONS = (
        annotations.Person((0.25, 0.125, 1.0, 0.5), labels=("run", "fly"), track=7),
        annotations.Person((0.0, 0.5, 0.75, 1.0), score=0.625),
    )

    def _read(self, tmp_path, write_video, time_us, *, times=None, half_us=500_000, **settings):
        path = write_video(tmp_path / "film.mkv", num_frames=40, rate=10, times=times)
        clip = annotations.Clip(
            str(path),
            "film.mkv",
            start_us=max(0, time_us - half_us),
            end_us=time_us + half_us,
            name="film@2",
            key_frame=annotations.KeyFrame(time_us, self._PERSONS),
        )
        return _write(tmp_path, clip, **settings)

    def test_boxes_come_back_out_of_the_record(self, tmp_path, write_video):
        example, told = self._read(tmp_path, write_video, 2_000_000)
        assert told.status == results.CONVERTED
        assert example.timestamps_us == tuple(range(1_500_000, 2_500_000, 100_000))
        assert example.key_frame.frame_index == 5
        assert example.labels == ()
        first, second = example.key_frame.boxes
        assert (first.ymin, first.xmin, first.ymax, first.xmax) == (0.25, 0.125, 1.0, 0.5)
        assert (first.labels, first.label_names) == ((1, 0), ("run", "fly"))
        assert (first.track, first.score) == (7, 1.0)
        assert (second.ymin, second.xmin, second.ymax, second.xmax) == (0.0, 0.5, 0.75, 1.0)
        assert (second.labels, second.track, second.score) == ((), None, 0.625)

    def test_it_is_the_frame_that_a_player_shows(self, tmp_path, write_video):
        assert self._read(tmp_path, write_video, 250_000)[0].key_frame.frame_index == 2
        example, _ = self._read(tmp_path, write_video, 2_000_000, fps=4.0)
        assert example.timestamps_us[example.key_frame.frame_index] == 2_000_000
        assert len(example.frames) == 4

    def test_beyond_the_film(self, tmp_path, write_video):
        example, told = self._read(tmp_path, write_video, 3_900_000)
        assert (len(example.frames), told.reason) == (6, "")  # Beyond the end nothing is lost.
        example, told = self._read(tmp_path, write_video, 4_000_000)
        assert example is None
        assert told.reason == (
            "its key frame, at 4 s of the file, is beyond the end (4 s); if an AVA file begins "
            "later than the film, say so with --film_start"
        )

    def test_where_frames_are_lost_before_it(self, tmp_path, write_video):
        times = [index * 100 + (index > 15) * 5000 for index in range(40)]
        wide = {"times": times, "half_us": 1_000_000}
        example, _ = self._read(tmp_path, write_video, 2_000_000, **wide)
        assert example.timestamps_us[example.key_frame.frame_index] == 1_500_000
        example, told = self._read(tmp_path, write_video, 2_000_001, **wide)
        assert example is None
        assert told.reason == "no frame decodes at its key frame, 2.000001 s"
