# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of tfrecords_tools.plan."""

import pathlib

import pytest

from official_cvrl import errors
from tfrecords_tools import annotations, convert, plan, results, video


def _plan(output, *, num_clips=10, num_shards=None, labels=("a",), **settings):
    clips = [annotations.Clip("", f"{number}.mp4", labels[:1]) for number in range(num_clips)]
    return _plan_of(output, *clips, num_shards=num_shards, labels=labels, **settings)


def _plan_of(output, *clips, num_shards=None, labels=("a",), choices=(), **settings):
    return plan.plan_split(
        "train",
        annotations.Split(clips),
        output=output,
        label_names=labels,
        dataset_name="folder",
        settings=video.Settings(**settings),
        num_shards=num_shards,
        choices=dict(choices),
    )


@pytest.mark.parametrize(
    ("num_clips", "num_shards"),
    [(0, 1), (1, 1), (4, 1), (5, 2), (32, 8), (500, 8), (513, 9), (6400, 100)],
)
def test_number_of_shards(tmp_path, num_clips, num_shards):
    specs = _plan(tmp_path, num_clips=num_clips).specs
    assert len(specs) == num_shards
    assert specs[-1].name == f"train-{num_shards - 1:05d}-of-{num_shards:05d}"


def test_number_of_shards_is_told_as_it_is():
    docs = pathlib.Path(convert.__file__).parents[1] / "docs" / "data.md"
    rule = f"per {plan._VIDEOS_PER_SHARD} videos, but at least {plan._USEFUL_SHARDS}, or one per "
    rule += f"{plan._LEAST_VIDEOS_PER_SHARD} videos"
    help_ = convert._parser().format_help()
    for text in (docs.read_text(encoding="utf-8"), help_, convert.convert.__doc__):
        assert rule in " ".join(text.split()).replace("or 1 per", "or one per")


@pytest.mark.parametrize("num_shards", [1, 3, 10, 12])
def test_every_clip_is_in_one_shard_and_shards_are_even(tmp_path, num_shards):
    specs = _plan(tmp_path, num_shards=num_shards).specs
    names = [clip.data_path for spec in specs for clip in spec.clips]
    assert sorted(names) == sorted(f"{number}.mp4" for number in range(10))
    assert names != sorted(names)  # Shuffled, ...
    again = [clip.data_path for spec in _plan(tmp_path, num_shards=1).specs for clip in spec.clips]
    assert names == again  # ... always the same way.
    sizes = [len(spec.clips) for spec in specs]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"short_side": 99}, "short_side 320 before and 99 now"),
        (
            {"quality": 5, "fps": 3.0},
            "quality 90 before and 5 now, fps not given before and 3.0 now",
        ),
        ({"num_clips": 9}, "videos 10 before and 9 now"),
        ({"num_shards": 2}, "num_shards 3 before and 2 now"),
        ({"labels": ("b",)}, "other videos or other labels"),
    ],
)
def test_other_settings_are_refused_with_the_difference(tmp_path, changes, words):
    plan.note_settings(tmp_path, _plan(tmp_path))
    assert _plan(tmp_path).missing
    with pytest.raises(errors.UserError, match=f"split 'train' of another conversion: {words}"):
        _plan(tmp_path, **changes)


def test_a_choice_that_was_not_noted_is_refused_if_it_chose_other_videos(tmp_path):
    clips = [annotations.Clip("", name) for name in ("a.mp4", "b.mp4")]
    plan.note_settings(tmp_path, _plan_of(tmp_path, clips[0]))
    assert _plan_of(tmp_path, clips[0], choices={"fold": 1}).settings["fold"] == 1
    with pytest.raises(errors.UserError, match="fold not given before and 2 now"):
        _plan_of(tmp_path, clips[1], choices={"fold": 2})
    plan.note_settings(tmp_path, _plan_of(tmp_path, clips[0], choices={"fold": 1}))
    with pytest.raises(errors.UserError, match="fold 1 before and 2 now"):
        _plan_of(tmp_path, clips[0], choices={"fold": 2})


def test_only_what_is_there_is_to_be_deleted(tmp_path):
    plan.note_settings(tmp_path, _plan(tmp_path))
    with pytest.raises(errors.UserError, match="or delete .conversion there"):
        _plan(tmp_path, num_shards=2)
    (tmp_path / "train-00000-of-00003").touch()
    with pytest.raises(errors.UserError, match="or delete train-\\*, .conversion there"):
        _plan(tmp_path, num_shards=2)


def test_forget_leaves_nothing(tmp_path):
    one = _plan(tmp_path)
    plan.note_settings(tmp_path, one)
    for name in (f"{one.specs[1].name}.json", "train.settings.json"):
        (tmp_path / results.NOTES_FOLDER / f".{name}~0a.partial").touch()  # A run was killed.
    for name in (one.specs[1].name, "train-videos.csv", "labels.txt", "manifest.json"):
        (tmp_path / f".{name}~0a.partial").touch()
    (tmp_path / one.specs[0].name).write_text("")
    plan.forget(tmp_path, one)
    assert [path.name for path in tmp_path.iterdir()] == [one.specs[0].name]
    plan.forget(tmp_path, one, shards_too=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("status", "num_frames", "size", "same_as", "is_kept"),
    [
        ("converted", 9, 3, "", True),
        ("converted", 9, 4, "", False),  # Another video under its name.
        ("incomplete", 5, 4, "", False),  # The whole file in place of the half.
        ("failed", 0, 3, "", True),
        ("failed", 0, 4, "", False),
        ("skipped", 0, 3, "other.mp4", True),
        ("skipped", 0, 4, "other.mp4", False),
        ("skipped", 0, 3, "", False),  # The other one has changed.
        ("converted", 9, 3, "other.mp4", False),
        ("converted", 9, None, "", True),  # Thrown away to make room: its record stays.
        ("failed", 0, None, "", False),
    ],
)
def test_a_shard_of_a_source_that_has_changed_is_written_again(
    tmp_path, status, num_frames, size, same_as, is_kept
):
    source, shard = tmp_path / "a.mp4", tmp_path / "train-00000-of-00001"
    if size is not None:
        source.write_bytes(b"x" * size)
    shard.touch()
    told = results.VideoResult("a.mp4", "a.mp4", status, num_frames=num_frames, source_bytes=3)
    results.write_note(tmp_path, results.ShardResult(shard.name, 1, 0, "", (told,)))
    clip = annotations.Clip(str(source), "a.mp4", ("a",), same_as=same_as)
    planned = _plan_of(tmp_path, clip)
    assert [spec.name for spec in planned.missing] == ([] if is_kept else [shard.name])
