# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The embedded videos: real files, the same from the same seed."""

import pathlib

import av
import numpy as np
import pytest

from official_cvrl.data import synthetic

_SMALL = {"num_train_per_class": 1, "num_test_per_class": 1, "size": 32, "num_frames": 6}


def _files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in pathlib.Path(folder).rglob("*.mp4")
    }


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        synthetic.write_videos(str(tmp_path / name), seed=seed, **_SMALL)
    first, second, other = (_files(tmp_path / name) for name in "abc")
    assert first == second
    assert set(first) == set(other)
    assert all(first[name] != other[name] for name in first)
    expected = {f"{s}/{c}/000.mp4" for s in ("train", "test") for c in synthetic.class_names()}
    assert set(first) == expected
    with av.open(str(tmp_path / "a" / min(first))) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert np.stack(frames).shape == (6, 32, 32, 3)


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
