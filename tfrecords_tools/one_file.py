# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Opens a video file by libav, and none of the files that it names.

A playlist in the videos' folder could otherwise put frames of any file of the machine into the
records, and a path that libav takes for a protocol could ask the network.
"""

from __future__ import annotations

import functools
from typing import BinaryIO

import av

# By libav's names, those of builds other than PyAV's among them: playlists, descriptions of
# streams, scripts.
_NAME_OTHERS = ("applehttp", "concat", "dash", "hls", "imf", "rtp", "rtsp", "sap", "sdp")
_NAME_OTHERS += ("avisynth", "lavfi", "vapoursynth")


class NamesOthers(Exception):
    """A file whose format lets it name other files or addresses; the message is the reason."""


def open_alone(file: str | BinaryIO) -> av.container.InputContainer:
    """Opens a video file; whatever else it names is not touched.

    Args:
      file: a local path, or a file opened for reading.

    Raises:
      NamesOthers: it is of a format that names other files, found before any of them is opened.
      av.FFmpegError, OSError, ValueError: libav cannot open it.
    """
    try:
        return av.open(file, options={"format_whitelist": _allowed(), "protocol_whitelist": "file"})
    except av.ArgumentError as error:
        _, demuxer, words = error.log or (0, "", "")
        if "Format not on whitelist" not in words:
            raise
        raise NamesOthers(
            f"it names other files, which may lie anywhere ({demuxer}); make one video of them"
        ) from error


@functools.cache
def _allowed() -> str:
    return ",".join(sorted(av.formats_available - {*_NAME_OTHERS}))
