# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Conversion against the ffmpeg command line, on the same videos, at equal quality.

    python -m benchmarks.convert --output=DIR --videos=DIR

Both decode, scale to a short side of 320 and encode JPEGs; ours writes records, too. The quality of
ffmpeg's JPEGs is the lowest that is as near to the scaled source as ours (PSNR). Needs `ffmpeg`.
"""

import pathlib
import shutil
import statistics
import subprocess

import av
import cv2
import numpy as np
from absl import app, flags

from benchmarks import outcome, turns
from benchmarks.peers import ffmpeg_convert
from official_cvrl import commands
from tfrecords_tools import annotations, scaling, video

_OUTPUT = flags.DEFINE_string("output", None, "Folder for convert.json and .md.")
_VIDEOS = flags.DEFINE_string("videos", None, "Folder of videos.")
_FILES = flags.DEFINE_integer("files", 24, "So many of them, spread over the folder.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Alternations; medians are over them.")
_SHORT_SIDE = flags.DEFINE_integer("short_side", 320, "Of the frames, in pixels.")

_QUALITIES = (6, 5, 4.5, 4, 3.5, 3, 2.5, 2)  # From bad to good.
_LOOKED_AT = 40  # Frames of each of a few files that are compared with the source.
_ONE, _TWO = "ours, one process", "ours, two processes"
_FFMPEG_ONE, _FFMPEG_TWO = "ffmpeg, one process", "ffmpeg, two processes"


def main(unused_argv):
    """Measures and prints the table."""
    if not (_OUTPUT.value and _VIDEOS.value):
        raise app.UsageError("--output=DIR is where the results go, --videos=DIR has the videos.")
    if not shutil.which("ffmpeg"):
        raise app.UsageError("there is no ffmpeg here (apt-get install ffmpeg).")
    files = _choose(pathlib.Path(_VIDEOS.value))
    sizes = [_size(path) for path in files]
    few = list(zip(files, sizes, strict=True))[:: -(-len(files) // 6)]
    ours = statistics.mean(_psnr(_our_jpegs(path), path, size) for path, size in few)
    quality, theirs = _equal_quality(few, ours)
    common = {"files": files, "sizes": sizes, "short_side": _SHORT_SIDE.value}
    rounds = turns.alternate(_contenders(common | {"quality": quality}), rounds=_ROUNDS.value)
    words = f"{len(files)} files; PSNR {ours:.2f} dB ours, {theirs:.2f} dB ffmpeg (-q:v {quality})"
    per_core = turns.median_ratio(rounds, _FFMPEG_ONE, _ONE, "processor_ms")
    goals = [
        outcome.Goal("frames per processor second, of ffmpeg's", per_core, 0.9),
        outcome.Goal(
            "two processes, of one's frames a second",
            turns.median_ratio(rounds, _TWO, _ONE, "frames_per_second"),
            1.8,
        ),
    ]
    tables = [words, _table(rounds)]
    outcome.write(_OUTPUT.value, "convert", tables=tables, goals=goals, raw=rounds)


def _contenders(settings):
    own, peer = "benchmarks.peers.own_convert", "benchmarks.peers.ffmpeg_convert"
    return [
        turns.Contender(_ONE, own, settings | {"processes": 1}),
        turns.Contender(_FFMPEG_ONE, peer, settings | {"processes": 1, "threads": 1}),
        turns.Contender(_TWO, own, settings | {"processes": 2}),
        turns.Contender(_FFMPEG_TWO, peer, settings | {"processes": 2, "threads": 1}),
    ]


def _table(rounds) -> str:
    header = ["", "frames a second", "processor ms a frame", "peak MB a process", "bytes a frame"]
    measures = ("frames_per_second", "processor_ms", "peak_mb", "bytes")
    formats = ("{:.0f}", "{:.3f}", "{:.0f}", "{:.0f}")
    rows = [
        [name]
        + [
            text.format(turns.median(rounds, name, measure))
            for measure, text in zip(measures, formats, strict=True)
        ]
        for name in rounds[0]
    ]
    return outcome.table(header, rows)


def _choose(folder: pathlib.Path) -> list[str]:
    found = sorted(map(str, filter(annotations.may_be_video, annotations.files_below(folder))))
    return found[:: max(1, len(found) // _FILES.value)][: _FILES.value]


def _size(path: str) -> tuple[int, int]:
    with av.open(path) as container:
        stream = container.streams.best("video")
        aspect = stream.sample_aspect_ratio
        scaler = scaling.Scaler(pixel_aspect=aspect, short_side=_SHORT_SIDE.value)
        scaler.picture(next(container.decode(stream)))
    return scaler.width, scaler.height


def _our_jpegs(path: str):
    return video.read_video(path, settings=video.Settings(short_side=_SHORT_SIDE.value)).frames


def _equal_quality(few, ours: float) -> tuple[float, float]:
    for quality in _QUALITIES:
        theirs = statistics.mean(_psnr(_their_jpegs(*one, quality), *one) for one in few)
        if theirs >= ours:
            break
    return quality, theirs


def _their_jpegs(path: str, size: tuple[int, int], quality: float):
    words = ffmpeg_convert.command(path, width=size[0], height=size[1], quality=quality)
    stream = subprocess.run(words, capture_output=True, check=True).stdout
    return ffmpeg_convert.jpegs(stream)


def _psnr(jpegs, path: str, size: tuple[int, int]) -> float:
    source = _scaled_source(path, size)
    shown = [cv2.imdecode(np.frombuffer(one, np.uint8), 1)[..., ::-1] for one in jpegs]
    pairs = zip(shown[: len(source)], source, strict=True)
    error = np.mean([np.mean(np.square(one - other)) for one, other in pairs])
    return float(10 * np.log10(255**2 / error))


def _scaled_source(path: str, size: tuple[int, int]) -> np.ndarray:
    """Returns float RGB `[num_frames, height, width, 3]`: ffmpeg at its most exact."""
    width, height = size
    scale = f"scale={width}:{height}:flags=area+accurate_rnd+full_chroma_int+full_chroma_inp"
    words = ["ffmpeg", "-v", "error", "-nostdin", "-i", path, "-vf"]
    words += [f"{scale}:out_color_matrix=bt601:out_range=pc", "-frames:v", str(_LOOKED_AT)]
    words += ["-fps_mode", "passthrough", "-pix_fmt", "yuv444p", "-f", "rawvideo", "-"]
    raw = subprocess.run(words, capture_output=True, check=True).stdout
    planes = np.frombuffer(raw, np.uint8).reshape(-1, 3, height, width).astype(np.float32)
    luma, blue, red = planes[:, 0], planes[:, 1] - 128, planes[:, 2] - 128
    green = luma - 0.344136 * blue - 0.714136 * red
    return np.clip(np.stack([luma + 1.402 * red, green, luma + 1.772 * blue], axis=-1), 0, 255)


if __name__ == "__main__":
    app.run(main, flags_parser=commands.parse_flags)
