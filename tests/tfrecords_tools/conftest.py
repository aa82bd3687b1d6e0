# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Videos that the tests of the tools make for themselves."""

import fractions
import pathlib
import struct

import av
import numpy as np
import pytest

from tfrecords_tools import convert

_ONE = 1 << 16  # Fixed point of an MP4 display matrix.


def picture(value, *, size=(48, 32)):
    """A grey frame `[height, width, 3]` with a red patch in its top left corner."""
    width, height = size
    frame = np.full((height, width, 3), value, np.uint8)
    frame[: height // 4, : width // 4] = (255, 0, 0)
    return frame


def _write(
    path, *, num_frames=12, size=(48, 32), rate=10, codec="mpeg4", times=None, pixel_aspect=1, gop=4
):
    """Writes frames whose grey value is ten times their index (of the first 25)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv444p" if codec == "libx264" else "yuv420p"
        stream.gop_size = gop
        stream.bit_rate = 4_000_000
        stream.codec_context.sample_aspect_ratio = fractions.Fraction(pixel_aspect)
        if times is not None:
            stream.codec_context.time_base = fractions.Fraction(1, 1000)
        for index in range(num_frames):
            frame = av.VideoFrame.from_ndarray(picture(10 * (index % 25), size=size), "rgb24")
            if times is None:
                frame.pts, frame.time_base = index, fractions.Fraction(1, rate)
            else:
                frame.pts, frame.time_base = times[index], fractions.Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _rotate(path, degrees):
    """Sets the display matrix of an MP4 file: players turn it clockwise by `degrees`."""
    cos, sin = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 44
    matrix = [cos * _ONE, sin * _ONE, 0, -sin * _ONE, cos * _ONE, 0, 0, 0, 1 << 30]
    content[at : at + 36] = struct.pack(">9i", *matrix)
    path.write_bytes(content)
    return path


@pytest.fixture(scope="session")
def write_video():
    """A function that writes a small video file."""
    return _write


@pytest.fixture(scope="session")
def rotate_video():
    """A function that marks an MP4 file as recorded with the camera turned."""
    return _rotate


@pytest.fixture(scope="session")
def class_folders(tmp_path_factory):
    """Two classes of four videos, and one file of each kind that is not a usable video."""
    root = tmp_path_factory.mktemp("videos")
    for label in ("run", "jump high"):
        for number in range(4):
            _write(root / label / f"{number}.mp4", num_frames=6 + number)
    whole = _write(root / "run" / "cut.mkv", num_frames=20, gop=1).read_bytes()
    (root / "run" / "cut.mkv").write_bytes(whole[: len(whole) * 6 // 10])
    (root / "run" / "empty.mp4").write_bytes(b"")
    (root / "run" / "words.mp4").write_text("not a video")
    (root / "run" / "notes.txt").write_text("not even by name")
    (root / "run" / ".hidden.mp4").write_bytes(b"")
    return root


@pytest.fixture(scope="session")
def converted(tmp_path_factory, class_folders):
    """The folder of class_folders' records, and the summary of their conversion."""
    output = tmp_path_factory.mktemp("records") / "new" / "folder"
    summary = convert.convert(
        dataset="folder", videos=class_folders, output=output, workers=2, quiet=True
    )
    return output, summary


@pytest.fixture(scope="session")
def touch():
    """A function that makes files of one byte below a folder."""

    def make(root, *names):
        for name in names:
            path = pathlib.Path(root, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")

    return make


@pytest.fixture(scope="session")
def labels_of():
    """A function that tells which labels each clip of a split has."""
    return lambda split: {clip.data_path: clip.labels for clip in split.clips}
