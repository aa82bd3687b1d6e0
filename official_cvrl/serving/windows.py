# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Which frames of a video a model is shown: clips spread over it, or window after window."""

import dataclasses
import re

import numpy as np

from official_cvrl.data import sampling
from tfrecords_tools import video

_MICROSECONDS = 1_000_000


@dataclasses.dataclass(frozen=True)
class Length:
    """A stretch of a video.

    Attributes:
        amount: how long, more than 0.
        in_seconds: whether `amount` counts seconds, or else frames of the video.

    Raises:
        ValueError: `amount` is not positive and finite, or no whole number of frames.
    """

    amount: float
    in_seconds: bool

    def __post_init__(self):
        if not 0 < self.amount < np.inf:
            raise ValueError(f"{self.amount:g} must be more than 0.")
        if not self.in_seconds and self.amount != int(self.amount):
            raise ValueError(
                f"{self.amount:g} must be a whole number of frames; seconds are {self.amount:g}s."
            )

    def __str__(self):
        """As `parse` reads it."""
        return str(self.amount).removesuffix(".0") + ("s" if self.in_seconds else "")

    @classmethod
    def parse(cls, text: str) -> "Length":
        """Reads "16" (frames) or "2.5s" (seconds).

        Raises:
            ValueError: it is neither.
        """
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(s?)", text)
        if not found:
            raise ValueError(f"{text!r} is no length; write 16 for frames or 2.5s for seconds.")
        return cls(float(found[1]), in_seconds=bool(found[2]))


@dataclasses.dataclass(frozen=True)
class Clips:
    """Frames to be shown of a video, and what they stand for.

    Attributes:
        frames: int [num_clips, num_frames], which frames of the video.
        start_us: int [num_rows], where in the video a row begins, in microseconds.
        end_us: int [num_rows], where it ends. One row a clip, or one for the mean over all clips.
    """

    frames: np.ndarray
    start_us: np.ndarray
    end_us: np.ndarray


def whole(
    encoded: video.EncodedVideo, *, num_frames: int, temporal_stride: int, num_clips: int
) -> Clips:
    """Returns clips spread evenly over a video, as in testing, that make one row."""
    frames = sampling.dense_clip_frames(
        len(encoded.frames),
        num_frames=num_frames,
        temporal_stride=temporal_stride,
        num_test_clips=num_clips,
    ).numpy()
    return Clips(frames, np.array([encoded.timestamps_us[0]]), np.array([encoded.end_us]))


def dense(
    encoded: video.EncodedVideo,
    *,
    num_frames: int,
    temporal_stride: int,
    window: Length | None,
    hop: Length | None,
) -> Clips:
    """Returns one window after another, a row each; what is left at the end is no whole window.

    Args:
        encoded: the video.
        num_frames: frames of a clip, spread evenly over the window.
        temporal_stride: of the model's clips.
        window: how long; None for num_frames × temporal_stride frames, what the model is used to.
        hop: from the start of one window to that of the next; None for a window's length.

    Returns:
        Windows that lie in the video; one that wraps round if the video is shorter than it.
    """
    window = window or Length(num_frames * temporal_stride, in_seconds=False)
    hop = hop or window
    if window.in_seconds or hop.in_seconds:
        return _by_time(encoded, num_frames, _us(window, encoded), _us(hop, encoded))
    return _by_frame(encoded, num_frames, int(window.amount), int(hop.amount))


def _us(length, encoded):
    seconds = length.amount if length.in_seconds else length.amount / encoded.frame_rate
    return max(1, round(seconds * _MICROSECONDS))


def _by_frame(encoded, num_frames, window, hop):
    count = len(encoded.frames)
    starts, steps = _starts(count, window, hop), _steps(window, num_frames)
    times = np.array([*encoded.timestamps_us, encoded.end_us])
    frames = (starts[:, np.newaxis] + steps) % count
    return Clips(frames, times[starts], times[np.minimum(starts + window, count)])


def _by_time(encoded, num_frames, window, hop):
    times = np.array(encoded.timestamps_us)
    length = encoded.end_us - times[0]
    starts, steps = _starts(length, window, hop), _steps(window, num_frames)
    shown = (starts[:, np.newaxis] + steps) % length + times[0]
    frames = np.searchsorted(times, shown, side="right") - 1
    return Clips(frames, starts + times[0], np.minimum(starts + window, length) + times[0])


def _starts(length, window, hop):
    return np.arange(0, max(length - window, 0) + 1, hop)


def _steps(window, num_frames):
    return np.arange(num_frames) * window // num_frames
