# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Files, folders and lists, each video once; what leads nowhere is named."""

import os
import shutil

import pytest

from official_cvrl import errors
from official_cvrl.serving import video_files


@pytest.fixture(name="folder")
def _folder(tmp_path):
    for name in ("b.mp4", "a/1.mkv", "notes.txt", "poster.JPG", ".hidden.mp4"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    return tmp_path


def test_a_folder_may_hold_more_than_videos(folder):
    found = video_files.find([str(folder)])
    assert found.videos == [str(folder / "a/1.mkv"), str(folder / "b.mp4")]
    assert found.faults == []
    assert found.num_others == 2  # Hidden ones apart.


def test_links_to_folders_are_followed_once(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "c.mp4").write_bytes(b"")
    (folder / "link").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(folder)
    found = video_files.find([str(folder)]).videos
    assert found == [str(folder / name) for name in ("a/1.mkv", "b.mp4", "link/c.mp4")]


def test_a_folder_that_cannot_be_read_is_named(folder):
    # Root may look everywhere, but not along a path that is longer than the system's longest.
    name, parent = "x" * 250, os.open(folder, os.O_DIRECTORY)
    for _ in range(5000 // len(name)):
        os.mkdir(name, dir_fd=parent)
        inside = os.open(name, os.O_DIRECTORY, dir_fd=parent)
        os.close(parent)
        parent = inside
    os.close(parent)
    found = video_files.find([str(folder)])
    assert len(found.videos) == 2
    (fault,) = found.faults
    assert fault.path.startswith(f"{folder}/{name}/{name}")
    assert fault.reason == "folder cannot be read: File name too long"
    shutil.rmtree(folder / name)


def test_the_state_is_another_once_a_file_is_written(tmp_path):
    path = tmp_path / "a.mp4"
    assert video_files.state(str(path)) == ()
    path.write_bytes(b"12")
    first = video_files.state(str(path))
    assert first == video_files.state(str(path))
    os.utime(path, ns=(0, first[1] + 1))
    assert video_files.state(str(path)) != first
    path.write_bytes(b"123")
    os.utime(path, ns=(0, first[1]))
    assert video_files.state(str(path)) == (3, first[1])


def test_a_list_is_relative_to_itself_and_a_video_counts_once(folder):
    table = folder / "list.csv"
    rows = f"x,b.mp4\ny,{folder}/a/1.mkv\nw,\nz,missing.mp4\n"
    table.write_text(f"label,path\n{rows}", encoding="utf-8")
    found = video_files.find([str(folder / "b.mp4"), str(table)])
    # One that is not there is one of many: it is reported as what cannot be read is.
    names = ("b.mp4", "a/1.mkv", "missing.mp4")
    assert found.videos == [str(folder / name) for name in names]
    assert [(one.path, one.reason) for one in found.faults] == [
        (f"{table}:4", "the line has no path")
    ]


@pytest.mark.parametrize(
    ("content", "said"), [(b"file\nx\n", "it names file"), (b"", "nothing"), (b"\xff\n", "cannot")]
)
def test_a_list_of_something_else(folder, content, said):
    (folder / "list.csv").write_bytes(content)
    with pytest.raises(errors.UserError, match=said) as caught:
        video_files.find([str(folder / "list.csv")])
    assert str(folder / "list.csv") in str(caught.value)


@pytest.mark.parametrize("paths", [[], ["nowhere.mp4"], ["EMPTY"]])
def test_no_videos(tmp_path, paths):
    paths = [str(tmp_path) if path == "EMPTY" else path for path in paths]
    with pytest.raises(errors.UserError, match="(?i)no (such )?video") as caught:
        video_files.find(paths)
    assert all(path in str(caught.value) for path in paths)


@pytest.mark.parametrize("row", ["../b.mp4", "a/../../b.mp4", ".."])
def test_a_list_does_not_climb_out_of_its_folder(folder, row):
    table = folder / "a" / "list.csv"
    table.write_text(f"path\n{row}\n1.mkv\n")
    found = video_files.find([str(table)])
    assert found.videos == [str(folder / "a" / "1.mkv")]
    ((path, reason),) = [(fault.path, fault.reason) for fault in found.faults]
    assert path == f"{table}:2"
    assert reason.startswith(f"{row!r} leads out of the folder of the list")


@pytest.mark.parametrize("place", ["list.csv", "./list.csv", "a/list.csv", "WHOLE/list.csv"])
@pytest.mark.parametrize("url", ["gs://private/x.mp4", "https://10.0.0.1/x.mp4", "file:///x.mp4"])
def test_a_list_names_no_file_elsewhere_wherever_it_lies(folder, monkeypatch, place, url):
    monkeypatch.chdir(folder)
    place = place.replace("WHOLE", str(folder))
    with open(place, "w", encoding="utf-8") as file:
        file.write(f"path\nb.mp4\n{url}\n")
    found = video_files.find([place])
    assert len(found.videos) == 1
    ((path, reason),) = [(fault.path, fault.reason) for fault in found.faults]
    assert path == f"{place}:3"
    assert reason.startswith(f"path={url} must be on a local disk")


def test_videos_elsewhere_are_refused_alike():
    with pytest.raises(errors.UserError, match="--videos=gs://a/x.mp4 must be on a local disk"):
        video_files.find(["gs://a/x.mp4"])
