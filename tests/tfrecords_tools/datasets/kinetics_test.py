# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of tfrecords_tools.datasets.kinetics."""

import pytest

from official_cvrl import errors
from tfrecords_tools import official_labels
from tfrecords_tools.datasets import kinetics

_HEADER = "label,youtube_id,time_start,time_end,split,is_cc\n"


@pytest.fixture
def read(tmp_path):
    (tmp_path / "videos").mkdir()

    def read_text(text, **arguments):
        (tmp_path / "k.csv").write_text(text)
        return kinetics.read(tmp_path / "k.csv", videos=tmp_path / "videos", **arguments)

    return read_text


@pytest.mark.parametrize(
    ("file", "start_us", "end_us", "may_be_cut"),
    [
        ("tap dancing/-a_b-C_000036_000046.mp4", 0, None, False),
        ("-a_b-C_000036_000046.mkv", 0, None, False),
        ("deep/down/-a_b-C_36_46.webm", 0, None, False),
        ("-a_b-C.mp4", 36_000_000, 46_000_000, True),
        ("tap_dancing/-a_b-C.anything", 36_000_000, 46_000_000, True),
    ],
)
def test_files_are_found_by_name(read, tmp_path, touch, file, start_us, end_us, may_be_cut):
    touch(tmp_path / "videos", file, "-a_b-C_000037_000047.mp4", "-a_b-C.json")
    found = read(f"{_HEADER}tap dancing,-a_b-C,36,46,val,0\n")
    (clip,) = found.splits["val"].clips
    assert (clip.path, clip.data_path) == (f"{tmp_path}/videos/{file}", file)
    assert (clip.start_us, clip.end_us, clip.may_be_cut) == (start_us, end_us, may_be_cut)
    assert clip.labels == ("tap dancing",)


def test_the_name_with_times_and_the_folder_of_the_class_come_first(read, tmp_path, touch):
    touch(tmp_path / "videos", "a.mp4", "a_000000_000010.mp4", "a/b.mp4", "its_class/b.mp4")
    clips = read(f"{_HEADER}y,a,0,10,val,0\nits class,b,0,10,val,0\n").splits["val"].clips
    assert [clip.data_path for clip in clips] == ["a_000000_000010.mp4", "its_class/b.mp4"]


def test_a_record_has_one_name_whether_its_file_is_there_or_not(read, tmp_path, touch):
    row = f"{_HEADER}x,a,36,46,val,0\n"
    (missing,) = read(row).splits["val"].clips
    assert (missing.example_id, missing.source_bytes()) == ("a_000036_000046", -1)
    touch(tmp_path / "videos", "a.mp4")
    (whole,) = read(row).splits["val"].clips
    assert (whole.example_id, whole.source_bytes()) == ("a_000036_000046", 1)
    touch(tmp_path / "videos", "a_000036_000046.mp4")
    assert read(row).splits["val"].clips[0].example_id == "a_000036_000046"


def test_splits_and_labels(read):
    text = f"{_HEADER}yo,a,0,10,train,0\nba,b,0,10,validate,1\n,c,0,10,test,0\nyo,a,5,15,train,0\n"
    found = read(text)
    assert {name: len(split.clips) for name, split in found.splits.items()} == {
        "train": 2,
        "val": 1,  # However the lists spell it, configs/paper/ can rely on one name.
        "test": 1,
    }
    assert found.label_names == ("ba", "yo")
    assert found.splits["test"].clips[0].labels == ()
    only = read(text, split="train")
    assert (list(only.splits), only.label_names) == (["train"], ("ba", "yo"))
    for spelled in ("val", "validate"):
        assert list(read(text, split=spelled).splits) == ["val"]
    with pytest.raises(errors.UserError, match="--split=tset.*only splits train, val, test"):
        read(text, split="tset")


def test_a_folder_of_files_and_files_without_a_column_split(tmp_path):
    (tmp_path / "train.csv").write_text("label,youtube_id,time_start,time_end\nx,a,0,10\n")
    (tmp_path / "test.csv").write_text("youtube_id,time_start,time_end\nb,0,10\n")
    found = kinetics.read(tmp_path, videos=tmp_path)
    assert {name: split.clips[0].example_id for name, split in found.splits.items()} == {
        "train": "a_000000_000010",
        "test": "b_000000_000010",
    }


def test_bad_rows_are_told_and_the_rest_kept(read):
    split = read(
        f"{_HEADER}abseiling,a,0,10,val,0\nabseiling,b,ten,20,val,0\nabseiling,c,10,10,val,0\n"
        "zumba,a,0,10,val,0\nsleepwalking,d,0,10,val,0\nzumba,,0,10,val,0\nzumba,e,0\n",
        version="400",
    ).splits
    assert [clip.example_id for clip in split["val"].clips] == ["a_000000_000010"]
    told = [(one.data_path, one.reason, one.fault) for one in split["val"].refused]
    assert told == [
        ("b", "time_start 'ten' is not a number of seconds", True),
        ("c", "time_end 10 is not after time_start 10", True),
        ("a", "a_000000_000010 stands in an earlier row", True),
        ("d", "unknown label 'sleepwalking'", True),
        ("", "the row has no youtube_id", True),
    ]
    assert split["k"].refused[0].reason == "time_end '' is not a number of seconds"


def test_a_version_gives_the_committed_label_map(read):
    found = read(f"{_HEADER}zumba,a,0,10,val,0\n", version="600")
    assert found.label_names == official_labels.read("kinetics600")
    assert found.settings == {"version": "600"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "first line must name the columns youtube_id, time_start, time_end"),
        ("abseiling,a,0,10\n", "first line must name.*'abseiling,a,0,10'"),
    ],
)
def test_bad_tables(read, text, words):
    with pytest.raises(errors.UserError, match=words):
        read(text)


def test_other_faults(read, tmp_path):
    with pytest.raises(errors.UserError, match="--version=500: Kinetics has 400, 600, 700"):
        read(_HEADER, version="500")
    with pytest.raises(errors.UserError, match="no.csv: cannot be read"):
        kinetics.read(tmp_path / "no.csv", videos=tmp_path)
    with pytest.raises(errors.UserError, match="there is no csv file"):
        kinetics.read(tmp_path / "videos", videos=tmp_path)
