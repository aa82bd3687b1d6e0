# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Clips around key frames: where they begin and end in a file."""

import pytest

from tfrecords_tools import key_frames, video

_SECOND = 1_000_000


@pytest.mark.parametrize(
    ("time_us", "seconds", "expected"),
    [
        (5 * _SECOND, 3.0, (3_500_000, 6_500_000)),
        (1 * _SECOND, 3.0, (0, 2_500_000)),
        (5 * _SECOND, 0.000004, (4_999_998, 5_000_002)),
    ],
)
def test_the_key_frame_is_in_the_middle(time_us, seconds, expected):
    assert key_frames.around(time_us, seconds=seconds) == expected


@pytest.mark.parametrize(
    ("end_us", "length_us", "expected"), [(9, 7, 7), (6, 7, 6), (9, 0, 9), (None, 7, None)]
)
def test_a_clip_ends_with_its_file(end_us, length_us, expected):
    assert key_frames.end_within(end_us, time_us=5, length_us=length_us) == expected


def test_a_key_frame_beyond_the_end_is_refused():
    with pytest.raises(video.VideoError, match=r"at 5 s of the file, is beyond the end \(5 s\)"):
        key_frames.end_within(9 * _SECOND, time_us=5 * _SECOND, length_us=5 * _SECOND)
