# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Files, folders and lists, each video once; what leads nowhere is named."""

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
    assert video_files.find([str(folder)]) == [str(folder / "a/1.mkv"), str(folder / "b.mp4")]


def test_a_list_is_relative_to_itself_and_a_video_counts_once(folder):
    table = folder / "list.csv"
    table.write_text(f"label,path\nx,b.mp4\ny,{folder}/a/1.mkv\nz,missing.mp4\n", encoding="utf-8")
    found = video_files.find([str(folder / "b.mp4"), str(table)])
    # One that is not there is one of many: it is reported as what cannot be read is.
    assert found == [str(folder / name) for name in ("b.mp4", "a/1.mkv", "missing.mp4")]


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
    (folder / "a" / "list.csv").write_text(f"path\n1.mkv\n{row}\n")
    with pytest.raises(errors.UserError, match="leads out of the folder of the list"):
        video_files.find([str(folder / "a" / "list.csv")])
