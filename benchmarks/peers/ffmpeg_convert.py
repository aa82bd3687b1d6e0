# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The ffmpeg command line: decode, scale, JPEG; one or several processes of one thread each."""

import concurrent.futures
import os
import pathlib
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence

from benchmarks import turns

_START = b"\xff\xd8\xff"


def command(path: str, *, width: int, height: int, quality: float, threads: int = 1) -> list[str]:
    """Returns the command that writes JPEGs, one behind the other, to its output.

    JPEG means full range and BT.601; without these two, colours of other videos would be wrong.
    """
    scale = f"scale={width}:{height}:flags=area:out_color_matrix=bt601:out_range=pc"
    return [
        *("ffmpeg", "-v", "error", "-nostdin", "-threads", str(threads)),
        *("-filter_threads", str(threads), "-i", path, "-vf", scale, "-fps_mode", "passthrough"),
        *("-pix_fmt", "yuvj420p", "-c:v", "mjpeg", "-threads", str(threads)),
        *("-q:v", str(quality), "-an", "-f", "image2pipe", "-"),
    ]


def jpegs(stream: bytes) -> Sequence[bytes]:
    """Returns the pictures of `command`'s output."""
    return [_START + rest for rest in stream.split(_START)[1:]]


def make(settings: Mapping) -> Callable[[], Mapping[str, float]]:
    """Returns what converts `files`, with their `sizes`, once; `processes` of them at a time."""
    folder = tempfile.TemporaryDirectory()
    jobs = list(zip(settings["files"], settings["sizes"], strict=True))

    def run(number):
        path, (width, height) = jobs[number]
        words = command(
            path,
            width=width,
            height=height,
            quality=settings["quality"],
            threads=settings["threads"],
        )
        with open(os.path.join(folder.name, f"{number}.mjpeg"), "wb") as file:
            subprocess.run(words, stdout=file, check=True)

    def measure():
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(settings["processes"]) as pool:
            list(pool.map(run, range(len(jobs))))
        seconds = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        files = [path.read_bytes() for path in pathlib.Path(folder.name).iterdir()]
        frames = sum(file.count(_START) for file in files)
        return {
            "frames_per_second": frames / seconds,
            "processor_ms": 1000 * used / frames,
            "peak_mb": after.ru_maxrss * 1024 / 1e6,
            "bytes": sum(map(len, files)) / frames,
        }

    return measure


if __name__ == "__main__":
    turns.serve(make)
