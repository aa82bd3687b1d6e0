# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Damages files and records at random, for fuzz_test.py and benchmarks/fuzz.py."""

import fractions
import pathlib
from collections.abc import Mapping

import av
import numpy as np

# Suffix, codec and pixels of the small videos that are damaged.
_SOURCES = (
    ("mp4", "libx264", "yuv420p"),
    ("mov", "libx265", "yuv420p10le"),
    ("webm", "libvpx", "yuv420p"),
    ("mkv", "libvpx-vp9", "yuv444p"),
    ("mp4", "libsvtav1", "yuv420p"),
    ("mkv", "ffv1", "yuv420p"),
    ("mpg", "mpeg1video", "yuv420p"),
    ("ts", "mpeg2video", "yuv420p"),
    ("avi", "mpeg4", "yuv420p"),
    ("mov", "prores_ks", "yuv422p10le"),
    ("mov", "mjpeg", "yuvj420p"),
    ("flv", "flv", "yuv420p"),
    ("asf", "wmv2", "yuv420p"),
    ("gif", "gif", "rgb8"),
)
_SILENT = {"libx265": {"x265-params": "log-level=none"}}


def sound_videos() -> tuple[str, ...]:
    """Returns the names of the videos that `write_video` writes."""
    return tuple(f"{codec}.{suffix}" for suffix, codec, _ in _SOURCES)


def write_video(folder: pathlib.Path, name: str) -> bytes:
    """Writes the video of a name, 16 frames of 96 x 64 in motion, and returns its content."""
    suffix, codec, pixels = next(one for one in _SOURCES if name == f"{one[1]}.{one[0]}")
    path = folder / name
    rows, columns = np.mgrid[:64, :96]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, pixels
        stream.gop_size = 8
        stream.options = _SILENT.get(codec, {})
        for index in range(16):
            picture = np.stack([rows * 4, columns * 2 + 8 * index, rows + columns], axis=-1) % 256
            frame = av.VideoFrame.from_ndarray(picture.astype(np.uint8), "rgb24")
            frame.pts, frame.time_base = index, fractions.Fraction(1, 25)
            container.mux(stream.encode(frame.reformat(format=pixels)))
        container.mux(stream.encode())
    return path.read_bytes()


def damage(content: bytes, generator: np.random.Generator) -> tuple[str, bytes]:
    """Returns what was done, in a word, and the damaged content."""
    kind = str(generator.choice(list(_KINDS)))
    return kind, _KINDS[kind](bytearray(content), generator)


def _cut(content: bytearray, generator) -> bytes:
    return bytes(content[: generator.integers(len(content))])


def _flip(content: bytearray, generator, *, end: int | None = None) -> bytes:
    count = 1 << int(generator.integers(8))
    for place in generator.integers(0, end or len(content), count):
        content[place] ^= 1 << int(generator.integers(8))
    return bytes(content)


def _flip_head(content: bytearray, generator) -> bytes:
    """Where containers and codecs say what is to come."""
    return _flip(content, generator, end=min(len(content), 512))


def _flip_tail(content: bytearray, generator) -> bytes:
    """Where MP4 keeps its index."""
    content.reverse()
    content = bytearray(_flip(content, generator, end=min(len(content), 1024)))
    content.reverse()
    return bytes(content)


def _blank(content: bytearray, generator) -> bytes:
    first, last = sorted(generator.integers(0, len(content) + 1, 2))
    content[first:last] = bytes(last - first)
    return bytes(content)


def _remove(content: bytearray, generator) -> bytes:
    first = generator.integers(len(content))
    del content[first : first + 1 + generator.integers(256)]
    return bytes(content)


def _numbers(content: bytearray, generator) -> bytes:
    """Lengths and counts of four bytes become extreme."""
    for _ in range(1 << int(generator.integers(4))):
        place = int(generator.integers(max(1, len(content) - 4)))
        extreme = (
            b"\xff\xff\xff\xff",
            b"\x7f\xff\xff\xff",
            b"\x00\x00\x00\x00",
            b"\x80\x00\x00\x00",
        )
        content[place : place + 4] = extreme[generator.integers(len(extreme))]
    return bytes(content)


_KINDS: Mapping = {
    "cut": _cut,
    "flipped bits": _flip,
    "flipped head": _flip_head,
    "flipped tail": _flip_tail,
    "zeros": _blank,
    "removed": _remove,
    "numbers": _numbers,
}
