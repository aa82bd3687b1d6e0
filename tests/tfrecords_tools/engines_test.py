# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of tfrecords_tools.engines; a named pipe stands for a file on which a decoder hangs."""

import dataclasses
import multiprocessing
import os
import threading
import time

import pytest

from official_cvrl import errors
from tests.tfrecords_tools import crashes
from tfrecords_tools import annotations, engines, plan, shards, video


def _spec(output, paths, *, index=0, count=1):
    clips = tuple(annotations.Clip(str(path), path.name) for path in paths)
    return plan.ShardSpec(
        output=str(output),
        name=f"train-{index:05d}-of-{count:05d}",
        clips=clips,
        label_names=(),
        dataset_name="folder",
        settings=video.Settings(),
    )


@pytest.fixture
def output(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def videos(tmp_path, write_video):
    return [write_video(tmp_path / f"{number}.mp4", num_frames=5) for number in range(4)]


def _content(output):
    return {path.name: path.read_bytes() for path in output.iterdir() if path.is_file()}


def test_processes_write_what_one_call_writes(tmp_path, output, videos):
    specs = [_spec(output, videos[n : n + 1], index=n, count=4) for n in range(4)]
    done = []
    found = engines.run_local(specs, workers=2, on_clips=done.append)
    (tmp_path / "here").mkdir()
    here = [dataclasses.replace(spec, output=str(tmp_path / "here")) for spec in specs]
    assert found == [shards.write_shard(spec) for spec in here]
    assert _content(output) == _content(tmp_path / "here")
    assert sum(done) == 4


def test_a_hanging_decoder_is_given_up(tmp_path, output, videos):
    os.mkfifo(tmp_path / "hang.mp4")
    spec = _spec(output, [videos[0], tmp_path / "hang.mp4", videos[1]])
    done = []
    (result,) = engines.run_local([spec], workers=1, stall_seconds=1.0, on_clips=done.append)
    assert [one.status for one in result.videos] == ["converted", "failed", "converted"]
    assert result.videos[1].reason == "the decoder gave no frame for 1 s"
    assert sum(done) == 3


def test_a_crashing_decoder_costs_one_video(tmp_path, output, videos):
    pipe = tmp_path / "crash.mp4"
    os.mkfifo(pipe)
    spec = _spec(output, [videos[0], pipe, videos[1]])
    with crashes.at(pipe, times=2):
        (result,) = engines.run_local([spec], workers=1)
    assert [one.status for one in result.videos] == ["converted", "failed", "converted"]
    assert result.videos[1].reason == "the decoder crashed (SIGSEGV)"


def test_a_worker_that_waits_for_its_disk_is_told_of(output, videos, capfd):
    spec = _spec(output, videos[:1])
    partial = output / f".{spec.name}.partial"
    os.mkfifo(partial)  # Opening it for writing waits for a reader.

    def crash_once_told():
        while "nothing heard for 0.2 s" not in capfd.readouterr().err:
            time.sleep(0.05)
        crashes.crash_workers()  # Which also removes what it had begun.

    killer = threading.Thread(target=crash_once_told)
    killer.start()
    (result,) = engines.run_local([spec], workers=1, stall_seconds=0.2)
    killer.join()
    assert [one.status for one in result.videos] == ["converted"]


def test_a_full_disk_is_one_message_and_leaves_nothing(output, videos):
    specs = [_spec(output, videos[n : n + 1], index=n, count=4) for n in range(4)]
    (output / f".{specs[2].name}.partial").symlink_to("/dev/full")
    with pytest.raises(errors.UserError, match="00002-of-00004 cannot be written: .*No space left"):
        engines.run_local(specs, workers=1)
    assert sorted(_content(output)) == [specs[0].name, specs[1].name]
    assert not multiprocessing.active_children()


def test_a_fault_in_the_program_is_not_blamed_on_the_user(output, videos):
    spec = dataclasses.replace(_spec(output, videos), settings=None)
    with pytest.raises(RuntimeError, match="AttributeError"):
        engines.run_local([dataclasses.replace(spec, label_names=None, clips=(None,))], workers=1)


def test_nothing_to_do():
    assert engines.run_local([], workers=3) == []
