# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Which frame of a video an annotated time means, or why there is none."""

from __future__ import annotations

import bisect

from tfrecords_tools import annotations, video

_LONGEST_SHOWN_US = 500_000  # Where a frame is shown for longer, others before the next are lost.


def refuse_beyond_end(time_us: int, *, length_us: int) -> None:
    """Refuses times after the end of a file.

    Args:
      time_us: of the key frame, in microseconds of the file.
      length_us: how long the file says it is; 0 when it does not say, and nothing is refused.

    Raises:
      VideoError: the file ends before.
    """
    if 0 < length_us <= time_us:
        raise video.VideoError(
            f"its key frame, at {annotations.seconds(time_us)} s of the file, "
            f"is beyond the end ({annotations.seconds(length_us)} s)"
        )


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
