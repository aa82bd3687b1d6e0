# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The embedded videos: real files, the same from the same seed."""

import hashlib
import pathlib

import av
import numpy as np
import pytest

from official_cvrl.data import synthetic

_SMALL = {"num_train_per_class": 1, "num_test_per_class": 1, "size": 32, "num_frames": 6}


def _digests(folder):
    """What is in each file; and of its pictures, to tell drawing and encoding apart."""
    found = {}
    for path in sorted(pathlib.Path(folder).rglob("*.mp4")):
        name = str(path.relative_to(folder))
        found[name] = _digest(path.read_bytes()), _digest(_pictures(path).tobytes())
    return found


def _digest(content):
    return hashlib.sha256(content).hexdigest()[:16]


def _pictures(path):
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        synthetic.write_videos(str(tmp_path / name), seed=seed, **_SMALL)
    first, second, other = (_digests(tmp_path / name) for name in "abc")
    assert first == second
    assert set(first) == set(other)
    assert not set(first.values()) & set(other.values())
    expected = {f"{s}/{c}/000.mp4" for s in ("train", "test") for c in synthetic.class_names()}
    assert set(first) == expected
    assert _pictures(tmp_path / "a" / min(first)).shape == (6, 32, 32, 3)


def test_there_are_at_least_eight_classes_and_no_two_videos_are_alike():
    names = synthetic.class_names()
    assert len(names) >= 8
    videos = [
        synthetic.draw_video(name, seed=(number,), size=16, num_frames=4)
        for name in names
        for number in (0, 1)
    ]
    assert len({video.tobytes() for video in videos}) == len(videos)


def test_motions_move_differently():
    moved = {}
    for motion in ("pan", "shake"):
        video = synthetic.draw_video(f"coins_{motion}", seed=(0,), size=32, num_frames=32)
        grey = video.mean(axis=3)
        moved[motion] = np.abs(grey[-1] - grey[0]).mean() / np.abs(grey[1] - grey[0]).mean()
    assert moved["pan"] > moved["shake"]


def test_refuses_sizes_that_h264_does_not_take(tmp_path):
    with pytest.raises(ValueError, match="size=31"):
        synthetic.write_videos(str(tmp_path / "x"), **(_SMALL | {"size": 31}))
    assert not list(tmp_path.iterdir())
