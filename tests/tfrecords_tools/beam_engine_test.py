# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of tfrecords_tools.beam_engine, on processes of Beam's own and on a cluster of Dask's."""

import os
import shutil
import sys
from unittest import mock

import pytest
from dask import distributed

from official_cvrl import errors
from tests.tfrecords_tools import crashes
from tfrecords_tools import beam_engine, convert, results

_BEAMS_PROCESSES = (
    "--direct_num_workers=2",
    "--direct_running_mode=multi_processing",
    "--default_sdk_harness_log_level=ERROR",
)


@pytest.fixture(scope="module")
def videos(tmp_path_factory, write_video):
    root = tmp_path_factory.mktemp("videos")
    for frames, name in enumerate(("run/0.mp4", "run/1.mp4", "jump/0.mp4"), 4):
        write_video(root / name, num_frames=frames)
    (root / "jump" / "words.mp4").write_text("not a video")
    return root


@pytest.fixture(scope="module")
def by_local_engine(videos, tmp_path_factory):
    return _convert(videos, tmp_path_factory.mktemp("local"))


def _convert(videos, output, **options):
    """Returns everything in the output folder afterwards."""
    convert.convert(
        dataset="folder", videos=videos, output=output, num_shards=2, quiet=True, **options
    )
    return {str(p.relative_to(output)): p.read_bytes() for p in output.rglob("*") if p.is_file()}


def test_processes_of_beam_write_the_same_bytes(videos, by_local_engine, tmp_path):
    by_beam = _convert(videos, tmp_path, engine="beam", beam_flags=_BEAMS_PROCESSES)
    assert by_beam == by_local_engine
    assert len(by_beam) == 5  # Two shards, labels, manifest, report: nothing is left over.


def test_a_dask_cluster_writes_the_same_bytes(videos, by_local_engine, tmp_path):
    runner = "--runner=apache_beam.runners.dask.dask_runner.DaskRunner"
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0"
    ) as cluster:
        flags = (runner, f"--dask_client_address={cluster.scheduler_address}")
        assert _convert(videos, tmp_path, engine="beam", beam_flags=flags) == by_local_engine
        distributed.default_client().close()  # Beam leaves it open.


def test_a_crash_costs_one_video_and_a_second_run_does_what_failed(
    videos, by_local_engine, tmp_path
):
    shutil.copytree(videos, tmp_path / "videos")
    shutil.copytree(videos, tmp_path / "whole")
    pipe = tmp_path / "videos" / "run" / "1.mp4"
    pipe.unlink()
    os.mkfifo(pipe)
    output = tmp_path / "out"
    output.mkdir()
    with crashes.at(pipe, times=2):
        content = _convert(tmp_path / "videos", output, engine="beam")
    told = {one.path: one.reason for one in results.read_report(output, "train")}
    assert told["run/1.mp4"] == "the decoder crashed (SIGSEGV)"
    assert told["run/0.mp4"] == told["jump/0.mp4"] == ""
    kept = {name: os.stat(output / name).st_mtime_ns for name in content if "-of-" in name}

    pipe.unlink()
    shutil.copy(tmp_path / "whole" / "run" / "1.mp4", pipe)
    assert _convert(tmp_path / "videos", output, engine="beam") == by_local_engine
    again = [name for name, when in kept.items() if os.stat(output / name).st_mtime_ns != when]
    assert len(again) == 1


def test_a_fault_of_beam_and_one_of_a_worker_are_told_without_a_trace(videos, tmp_path):
    with pytest.raises(errors.UserError, match="--runner=Flunk.* failed: .*Unexpected pipeline"):
        _convert(videos, tmp_path, engine="beam", beam_flags=["--runner=Flunk"])
    (tmp_path / "train-00001-of-00002" / "in the way").mkdir(parents=True)
    with pytest.raises(
        errors.UserError, match="00001-of-00002 cannot be written: .*directory"
    ) as e:
        _convert(videos, tmp_path, engine="beam")
    assert "\n" not in str(e.value)
    assert not list(tmp_path.glob("*.partial"))


def test_a_job_that_was_cancelled_is_no_success(videos, tmp_path, monkeypatch):
    cancelled = mock.Mock()
    cancelled.run.return_value.wait_until_finish.return_value = "CANCELLED"
    monkeypatch.setattr(beam_engine, "_pipeline", lambda specs, flags: cancelled)
    with pytest.raises(errors.UserError, match="ended as CANCELLED.*\n.*goes on from there"):
        _convert(videos, tmp_path / "out", engine="beam")


def test_without_beam_the_way_out_is_told(videos, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(errors.UserError, match="(?s)not|cannot.*requirements-beam.txt"):
        _convert(videos, tmp_path / "out", engine="beam")
    assert not (tmp_path / "out").exists()
