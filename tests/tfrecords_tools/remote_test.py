# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of conversion from and to a remote file system: TensorFlow's ram://, as gs:// would be.

Only the process that wrote them has its files, so shards are written here, not by an engine.
"""

import pytest

from official_cvrl import errors, filesystems, manifest
from tfrecords_tools import conversion, plan, shards, sources, video


@pytest.fixture(scope="module")
def videos(tmp_path_factory, write_video):
    """The same videos here and there."""
    here, there = tmp_path_factory.mktemp("videos"), filesystems.openable_path("ram://videos")
    for name, options in {
        "run/0.mp4": {},
        "run/1.mp4": {"codec": "libx264", "num_frames": 30},
        "jump/0.mkv": {},
        "jump/.hidden/0.mp4": {},
    }.items():
        write_video(here / name, **options)
    (here / "run" / "empty.mp4").write_bytes(b"")
    (here / "run" / "words.mp4").write_text("not a video")
    for path in here.rglob("*.m*"):
        copy = there / path.relative_to(here).as_posix()
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return str(here), "ram://videos"


def _convert(videos, output):
    """Returns everything in the output folder afterwards, and the summary of the split."""
    found = sources.read("folder", videos=videos, table=None, split=None, options={})
    folder = filesystems.openable_path(output)
    folder.mkdir(parents=True, exist_ok=True)
    planned = plan.plan_split(
        "train",
        found.splits["train"],
        output=output,
        label_names=found.label_names,
        dataset_name="folder",
        settings=video.Settings(),
        num_shards=2,
    )
    (done,) = conversion.carry_out(
        [planned],
        output,
        label_names=found.label_names,
        write_shards=lambda specs, on_clips: [shards.write_shard(spec) for spec in specs],
        quiet=True,
    )
    return {path.name: path.read_bytes() for path in folder.iterdir()}, done


def test_the_same_bytes_from_there_to_there(videos, tmp_path):
    here, there = videos
    expected, done = _convert(here, str(tmp_path / "out"))
    assert done.num_converted == 3
    assert sorted(one.path for one in done.faults) == ["run/empty.mp4", "run/words.mp4"]
    assert _convert(there, "ram://out")[0] == expected
    assert manifest.find_shards("ram://out", "train").num_examples == 3
    again = _convert(there, "ram://out")
    assert (again[0], again[1].num_kept) == (expected, 2)
    filesystems.openable_path("ram://out/train-00001-of-00002").unlink()
    again = _convert(there, "ram://out")
    assert (again[0], again[1].num_kept) == (expected, 1)


def test_a_part_of_a_remote_film_is_found_by_seeking(videos):
    here, there = (
        video.read_video(
            f"{root}/run/1.mp4", settings=video.Settings(), start_us=1_500_000, end_us=2_000_000
        )
        for root in videos
    )
    assert here.timestamps_us[0] == 1_500_000
    assert there == here


def test_missing_remote_video_and_remote_annotations():
    with pytest.raises(video.VideoError, match="no such file"):
        video.length_us("ram://videos/none.mp4")
    with pytest.raises(errors.UserError, match="ram://a.csv: .* copy them to"):
        sources.read("csv", videos="ram://videos", table="ram://a.csv", split=None, options={})
