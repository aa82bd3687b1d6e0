# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Windows: which frames, and which times they stand for."""

import numpy as np
import pytest

from official_cvrl.serving import windows
from tfrecords_tools import video


def _video(times_us, end_us, frame_rate=10.0):
    return video.EncodedVideo((b"",) * len(times_us), tuple(times_us), 2, 2, frame_rate, end_us)


_TEN = _video(range(0, 1_000_000, 100_000), 1_000_000)


def _dense(encoded, window="", hop="", num_frames=2, temporal_stride=2):
    lengths = [windows.Length.parse(text) if text else None for text in (window, hop)]
    clips = windows.dense(
        encoded,
        num_frames=num_frames,
        temporal_stride=temporal_stride,
        window=lengths[0],
        hop=lengths[1],
    )
    return clips.frames.tolist(), clips.start_us.tolist(), clips.end_us.tolist()


def test_a_window_is_a_clips_length_and_what_is_left_over_is_none():
    frames, starts, ends = _dense(_TEN, hop="3")
    assert frames == [[0, 2], [3, 5], [6, 8]]
    assert starts == [0, 300_000, 600_000]
    assert ends == [400_000, 700_000, 1_000_000]


def test_windows_follow_each_other_unless_a_hop_is_given():
    assert _dense(_TEN, window="5")[0] == [[0, 2], [5, 7]]
    assert _dense(_TEN, window="10", num_frames=4)[0] == [[0, 2, 5, 7]]


def test_seconds_are_those_of_the_timestamps():
    # Two frames in the first second, eight in the next.
    uneven = _video([0, 500_000, *range(1_000_000, 2_000_000, 125_000)], 2_000_000, 5.0)
    frames, starts, ends = _dense(uneven, window="1s", hop="0.5s", num_frames=4)
    assert frames == [[0, 0, 1, 1], [1, 1, 2, 4], [2, 4, 6, 8]]
    assert starts == [0, 500_000, 1_000_000]
    assert ends == [1_000_000, 1_500_000, 2_000_000]


def test_frames_beside_seconds_are_of_the_mean_rate():
    assert _dense(_TEN, window="4", hop="0.3s") == _dense(_TEN, window="4", hop="3")


@pytest.mark.parametrize("hop", ["2", "0.2s"])
def test_a_video_shorter_than_the_window_wraps_round(hop):
    short = _video([0, 100_000, 200_000], 300_000)
    frames, starts, ends = _dense(short, hop=hop, num_frames=4, temporal_stride=1)
    assert (frames, starts, ends) == ([[0, 1, 2, 0]], [0], [300_000])


def test_times_count_from_the_first_frame_that_is_shown():
    late = _video([700_000, 800_000, 900_000, 1_000_000], 1_100_000)
    for hop in ("2", "0.2s"):
        frames, starts, ends = _dense(late, hop=hop, temporal_stride=1)
        assert frames == [[0, 1], [2, 3]]
        assert (starts, ends) == ([700_000, 900_000], [900_000, 1_100_000])


def test_the_whole_video_is_one_row():
    clips = windows.whole(_TEN, num_frames=2, temporal_stride=2, num_clips=3)
    np.testing.assert_array_equal(clips.frames, [[0, 2], [3, 5], [7, 9]])
    assert (clips.start_us.tolist(), clips.end_us.tolist()) == ([0], [1_000_000])


@pytest.mark.parametrize("text", ["", "-1", "0", "0s", "1.5", "2 s", "1m", "infs"])
def test_no_length(text):
    with pytest.raises(ValueError, match="length|must be"):
        windows.Length.parse(text)


@pytest.mark.parametrize("text", ["16", "2s", "0.1234567891s"])
def test_a_length_is_told_as_it_was_given(text):
    assert str(windows.Length.parse(text)) == text
