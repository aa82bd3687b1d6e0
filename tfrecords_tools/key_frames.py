# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Which clip and which frame of a video an annotated time means, or why there is none."""

from __future__ import annotations

import bisect

from tfrecords_tools import annotations, video

_LONGEST_SHOWN_US = 500_000  # Where a frame is shown for longer, others before the next are lost.


def around(time_us: int, *, seconds: float) -> tuple[int, int]:
    """Returns where the clip around a key frame starts and ends, in microseconds.

    Args:
      time_us: of the key frame, in microseconds of the file.
      seconds: how long the clip is; before the file's start nothing is taken.
    """
    half_us = round(seconds / 2 * annotations.MICROSECONDS)
    return max(0, time_us - half_us), time_us + half_us


def end_within(end_us: int | None, *, time_us: int, length_us: int) -> int | None:
    """Returns where a clip ends in its file: what is beyond the file's end is not lost.

    Args:
      end_us: where it should end, in microseconds; None for the end of the file.
      time_us: of its key frame, in microseconds of the file.
      length_us: how long the file says it is; 0 when it does not say, and nothing is changed.

    Raises:
      VideoError: the file ends before the key frame.
    """
    if 0 < length_us <= time_us:
        raise video.VideoError(
            f"its key frame, at {annotations.seconds(time_us)} s of the file, "
            f"is beyond the end ({annotations.seconds(length_us)} s)"
        )
    return min(end_us, length_us) if end_us is not None and length_us else end_us


def index(encoded: video.EncodedVideo, time_us: int) -> int:
    """Returns which of some frames a player shows at a time.

    Args:
      encoded: the frames.
      time_us: in microseconds of the file.

    Raises:
      VideoError: none of them.
    """
    times = encoded.timestamps_us
    found = bisect.bisect_right(times, time_us) - 1
    longest_us = max(_LONGEST_SHOWN_US, annotations.MICROSECONDS / encoded.frame_rate)
    if found < 0 or time_us - times[found] > longest_us:
        raise video.VideoError(
            f"no frame decodes at its key frame, {annotations.seconds(time_us)} s"
        )
    return found
