# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of tfrecords_tools.video."""

import os
import pathlib
import subprocess
import sys
import wave

import av
import cv2
import numpy as np
import pytest

from tfrecords_tools import video


def _read(path, *, short_side=320, quality=95, fps=None, min_frames=1, **part):
    settings = video.Settings(
        short_side=short_side, quality=quality, fps=fps, min_frames=min_frames
    )
    return video.read_video(path, settings=settings, **part)


def _pixels(encoded):
    """Returns RGB frames `[num_frames, height, width, 3]`."""
    frames = [cv2.imdecode(np.frombuffer(jpeg, np.uint8), 1) for jpeg in encoded.frames]
    return np.stack(frames)[..., ::-1].astype(int)


def _indices(encoded):
    """Returns which frames of the source these are, by their grey value."""
    pixels = _pixels(encoded)
    middle = pixels[:, pixels.shape[1] // 2 :, pixels.shape[2] // 2 :]
    return [round(value / 10) for value in middle.mean(axis=(1, 2, 3))]


def _red_corner(encoded):
    first = _pixels(encoded)[0]
    red = first[..., 0] - first[..., 1]
    height, width = red.shape
    corners = {
        "top left": red[: height // 4, : width // 4],
        "top right": red[: height // 4, -(width // 4) :],
        "bottom left": red[-(height // 4) :, : width // 4],
        "bottom right": red[-(height // 4) :, -(width // 4) :],
    }
    assert max(corner.mean() for corner in corners.values()) > 100
    return max(corners, key=lambda name: corners[name].mean())


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
def test_every_frame_in_order_with_its_time(tmp_path, write_video, codec):
    encoded = _read(write_video(tmp_path / "a.mp4", num_frames=12, rate=10, codec=codec))
    assert _indices(encoded) == list(range(12))
    assert encoded.timestamps_us == tuple(range(0, 1_200_000, 100_000))
    assert (encoded.width, encoded.height) == (48, 32)
    assert encoded.frame_rate == pytest.approx(10)
    assert encoded.end_us == 1_200_000
    assert encoded.fault == ""


@pytest.mark.parametrize(
    ("size", "short_side", "expected"),
    [((96, 64), 32, (48, 32)), ((64, 96), 32, (32, 48)), ((50, 34), 17, (25, 17))],
)
def test_short_side(tmp_path, write_video, size, short_side, expected):
    encoded = _read(write_video(tmp_path / "a.mp4", size=size), short_side=short_side)
    assert (encoded.width, encoded.height) == expected
    assert _pixels(encoded).shape[1:3] == expected[::-1]
    assert _red_corner(encoded) == "top left"


def test_no_video_is_enlarged_and_odd_sizes_stay(tmp_path, write_video):
    path = write_video(tmp_path / "a.mp4", size=(49, 33), codec="libx264")
    assert _pixels(_read(path, short_side=1000)).shape[1:3] == (33, 49)


@pytest.mark.parametrize(
    ("degrees", "corner", "size"),
    [
        (0, "top left", (48, 32)),
        (90, "top right", (32, 48)),
        (180, "bottom right", (48, 32)),
        (270, "bottom left", (32, 48)),
    ],
)
def test_turned_cameras_give_upright_frames(
    tmp_path, write_video, rotate_video, degrees, corner, size
):
    path = rotate_video(write_video(tmp_path / "a.mp4"), degrees)
    encoded = _read(path)
    assert (encoded.width, encoded.height) == size
    assert _pixels(encoded).shape[1:3] == size[::-1]
    assert _red_corner(encoded) == corner
    assert min(_read(path, short_side=16).width, _read(path, short_side=16).height) == 16


def test_pixels_become_square(tmp_path, write_video):
    encoded = _read(write_video(tmp_path / "a.mkv", pixel_aspect=2))
    assert (encoded.width, encoded.height) == (96, 32)


_TWICE = """
import sys
from tfrecords_tools import video
for _ in range(2):
    print(repr(video.read_video(sys.argv[1], settings=video.Settings()).fault))
"""


def test_nothing_is_asked_of_a_file_that_is_closed(tmp_path, write_video):
    path = write_video(tmp_path / "a.mp4", num_frames=12)
    done = subprocess.run(
        [sys.executable, "-c", _TWICE, path],
        # glibc then overwrites what is freed, so that reading it gives nonsense every time.
        env=os.environ | {"MALLOC_PERTURB_": "90"},
        cwd=pathlib.Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["''", "''"]


def test_variable_frame_rate_keeps_the_times(tmp_path, write_video):
    times = [0, 40, 50, 200, 210, 1000]
    encoded = _read(write_video(tmp_path / "a.mkv", num_frames=6, times=times))
    assert encoded.timestamps_us == tuple(time * 1000 for time in times)
    assert _indices(encoded) == list(range(6))
    assert encoded.frame_rate == pytest.approx(5)
    assert encoded.fault == ""


@pytest.mark.parametrize(
    ("fps", "indices"),
    [
        (5, [0, 2, 4, 6, 8]),
        (20, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9]),
        (10, list(range(10))),
    ],
)
def test_fps_shows_what_a_player_would(tmp_path, write_video, fps, indices):
    encoded = _read(write_video(tmp_path / "a.mp4", num_frames=10, rate=10), fps=fps)
    assert _indices(encoded) == indices
    assert encoded.timestamps_us == tuple(round(tick * 1e6 / fps) for tick in range(len(indices)))
    assert encoded.frame_rate == fps


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "ts", "asf"])
@pytest.mark.parametrize("gop", [1, 4, 100])
def test_part(tmp_path, write_video, suffix, gop):
    path = write_video(tmp_path / f"a.{suffix}", num_frames=24, rate=10, gop=gop)
    encoded = _read(path, start_us=1_050_000, end_us=1_500_000)
    assert _indices(encoded) == [11, 12, 13, 14]
    assert encoded.timestamps_us == (1_100_000, 1_200_000, 1_300_000, 1_400_000)
    assert encoded.fault == ""
    assert _indices(_read(path, start_us=2_150_000)) == [22, 23]


@pytest.mark.parametrize(("suffix", "codec"), [("h264", "libx264"), ("m2v", "mpeg2video")])
def test_part_of_a_stream_without_times(tmp_path, write_video, suffix, codec):
    path = write_video(tmp_path / f"a.{suffix}", num_frames=24, rate=25, codec=codec)
    encoded = _read(path, start_us=630_000, end_us=730_000)
    assert _indices(encoded) == [16, 17, 18]
    assert encoded.timestamps_us == (640_000, 680_000, 720_000)


def test_part_that_the_video_does_not_have(tmp_path, write_video):
    path = write_video(tmp_path / "a.mp4", num_frames=10, rate=10)
    fault = _read(path, start_us=500_000, end_us=2_500_000).fault
    assert fault == "the first 0.5 of 2.0 s decode"
    with pytest.raises(video.VideoError, match="no frames decode between 3 s and 4 s"):
        _read(path, start_us=3_000_000, end_us=4_000_000)


def test_truncated_video_keeps_what_decodes_and_says_so(tmp_path, write_video):
    path = write_video(tmp_path / "a.avi", num_frames=20, gop=1, size=(320, 240))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    encoded = _read(path)
    assert 5 <= len(encoded.frames) < 18
    assert _indices(encoded) == list(range(len(encoded.frames)))
    assert f"{len(encoded.frames)} of 20 frames decode" in encoded.fault


def test_truncated_video_without_a_frame_count(tmp_path, write_video):
    path = write_video(tmp_path / "a.mkv", num_frames=20, gop=1, size=(320, 240))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    encoded = _read(path)
    assert 5 <= len(encoded.frames) < 18
    assert f"the first {len(encoded.frames) / 10} of 2.0 s decode" in encoded.fault


def test_what_an_edit_list_hides_is_not_lost(tmp_path, write_video):
    """Cut without encoding anew, an MP4 file keeps frames before the cut, which players skip."""
    whole = write_video(tmp_path / "a.mp4", num_frames=20, rate=10, gop=20)
    cut = tmp_path / "cut.mp4"
    with av.open(str(whole)) as source, av.open(str(cut), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        first = None
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is None:
                continue
            packet.stream = stream
            first = 1.2 / packet.time_base if first is None else first
            packet.pts, packet.dts = (int(time - first) for time in (packet.pts, packet.dts))
            target.mux(packet)
    encoded = _read(cut)
    assert _indices(encoded) == list(range(12, 20))
    assert encoded.fault == ""


def test_damage_in_the_middle_never_raises_anything_else(tmp_path, write_video):
    path = write_video(tmp_path / "a.mp4", num_frames=20, codec="libx264")
    content = path.read_bytes()
    generator = np.random.default_rng(0)
    faults = 0
    for _ in range(60):
        damaged = bytearray(content)
        for place in generator.integers(0, len(content), 12):
            damaged[place] = generator.integers(256)
        (tmp_path / "b.mp4").write_bytes(damaged)
        try:
            faults += bool(_read(tmp_path / "b.mp4").fault)
        except video.VideoError as error:
            assert str(error)
            faults += 1
    assert faults > 10


def _write_sound(path):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(1600))


def test_files_without_video_say_why(tmp_path, write_video):
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "words.mp4").write_text("these are words")
    _write_sound(tmp_path / "sound.mp4")
    write_video(tmp_path / "short.mp4", num_frames=3)
    for name, reason in {
        "nowhere.mp4": "^no such file$",
        "empty.mp4": "^the file is empty",
        "words.mp4": "^unreadable: Invalid data",
        "sound.mp4": "^no video stream .only audio.$",
        "short.mp4": "^too short: 3 frames decode$",
    }.items():
        with pytest.raises(video.VideoError, match=reason) as caught:
            _read(tmp_path / name, min_frames=4)
        assert str(tmp_path) not in str(caught.value)


def test_quality_decides_about_size(tmp_path, write_video):
    path = write_video(tmp_path / "a.mp4", size=(320, 240), num_frames=2)
    low, high = _read(path, quality=30), _read(path, quality=95)
    assert len(low.frames[1]) < len(high.frames[1])


def test_what_no_record_can_hold_is_refused(tmp_path, write_video, monkeypatch):
    path = write_video(tmp_path / "a.mp4", num_frames=20)
    monkeypatch.setattr(video, "MAX_ENCODED_BYTES", sum(map(len, _read(path).frames)) - 1)
    with pytest.raises(video.VideoError, match="too long.*--dataset=csv"):
        _read(path)


_PEAK = """
import re, sys
from tfrecords_tools import video
encoded = video.read_video(sys.argv[1], settings=video.Settings(), start_us=int(sys.argv[2]))
assert len(encoded.frames) == 10, len(encoded.frames)
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""


def test_memory_does_not_grow_with_the_length_of_a_film(tmp_path, write_video):
    peaks = []
    for num_frames in (100, 1000):
        # A stream without times cannot be entered in the middle: all of it has to be decoded.
        path = tmp_path / f"{num_frames}.m2v"
        write_video(path, num_frames=num_frames, size=(320, 240), rate=25, codec="mpeg2video")
        command = [sys.executable, "-c", _PEAK, str(path), str((num_frames - 10) * 40_000)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout) / 1024)
    # In megabytes; 900 decoded frames take 100, as JPEGs 10.
    assert peaks[1] - peaks[0] < 6


def test_sign_of_life_for_every_frame(tmp_path, write_video):
    signs = []
    _read(write_video(tmp_path / "a.mp4", num_frames=7), on_frame=lambda: signs.append(1))
    assert len(signs) == 7
