# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Playlists in a folder of videos lead nowhere, whatever their names and wherever they point."""

import io
import pathlib

import pytest

from tfrecords_tools import one_file, video

_SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"


@pytest.fixture(name="folder")
def _folder(tmp_path, write_video):
    """A folder of videos, and a private video beside it."""
    write_video(tmp_path / "private.ts", codec="mpeg2video", rate=25)
    write_video(tmp_path / "videos" / "part.ts", codec="mpeg2video", rate=25)
    return tmp_path / "videos"


def _hls(path):
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\n{path}\n#EXT-X-ENDLIST\n"


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("x.m3u8", _hls("PATH"), "hls"),
        ("x.mp4", "ffconcat version 1.0\nfile PATH\n", "concat"),
        ("x.mp4", _SDP, "sdp"),
    ],
)
def test_what_names_other_files_is_refused_by_name(folder, name, text, kind, inside):
    there = "part.ts" if inside else str(folder.parent / "private.ts")
    (folder / name).write_text(text.replace("PATH", there))
    reason = rf"it names other files, .* \({kind}\); make one video of them"
    with pytest.raises(video.VideoError, match=reason):
        video.read_video(folder / name, settings=video.Settings())


def test_an_open_file_is_looked_into_alike(folder):
    text = f"ffconcat version 1.0\nfile {folder}/part.ts\n"
    with pytest.raises(one_file.NamesOthers, match="concat"):
        one_file.open_alone(io.BytesIO(text.encode()))
    whole = pathlib.Path(folder, "part.ts").read_bytes()
    with one_file.open_alone(io.BytesIO(whole)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 12


@pytest.mark.parametrize("protocol", ["concat:", "subfile,,start,0,end,0,,:", "data:,"])
def test_a_path_is_a_path_and_no_protocol(folder, protocol):
    with pytest.raises((OSError, ValueError), match="Invalid argument|not found|No such"):
        one_file.open_alone(f"{protocol}{folder}/part.ts")
