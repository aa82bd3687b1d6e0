# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Our conversion: `shards.write_shard` in one or several processes that stay warm."""

import multiprocessing
import pathlib
import tempfile
import time
from collections.abc import Callable, Mapping

from benchmarks import turns
from tfrecords_tools import annotations, plan, shards, video


def make(settings: Mapping) -> Callable[[], Mapping[str, float]]:
    """Returns what converts `files` once, in `processes`."""
    processes = settings["processes"]
    folder = tempfile.TemporaryDirectory()
    specs = [
        plan.ShardSpec(
            output=folder.name,
            name=f"train-{index:05d}-of-{processes:05d}",
            clips=tuple(
                annotations.Clip(path, path) for path in settings["files"][index::processes]
            ),
            label_names=(),
            dataset_name="benchmark",
            settings=video.Settings(short_side=settings["short_side"]),
        )
        for index in range(processes)
    ]
    pool = multiprocessing.get_context("spawn").Pool(processes)
    pool.map(_write, specs, chunksize=1)

    def measure():
        started = time.perf_counter()
        done = pool.map(_write, specs, chunksize=1)
        seconds = time.perf_counter() - started
        frames = sum(one["frames"] for one in done)
        return {
            "frames_per_second": frames / seconds,
            "processor_ms": 1000 * sum(one["processor_seconds"] for one in done) / frames,
            "peak_mb": max(one["peak_mb"] for one in done),
            "bytes": sum(path.stat().st_size for path in pathlib.Path(folder.name).glob("train-*"))
            / frames,
        }

    return measure


def _write(spec: plan.ShardSpec) -> Mapping[str, float]:
    started = time.process_time()
    result = shards.write_shard(spec)
    return {
        "frames": sum(one.num_frames for one in result.videos),
        "processor_seconds": time.process_time() - started,
        "peak_mb": turns.memory("VmHWM"),
    }


if __name__ == "__main__":
    turns.serve(make)
