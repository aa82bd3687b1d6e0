# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A csv file of boxes: what becomes a key frame, and what is refused by row and reason."""

import pytest
import tensorflow as tf

from official_cvrl import errors, manifest, records
from tfrecords_tools import convert
from tfrecords_tools.datasets import boxes_file

_HEADER = "video,second,x1,y1,x2,y2,label,person"


def _table(folder, *rows, header=_HEADER):
    path = folder / "boxes.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_rows_become_records_with_the_boxes_that_they_name(tmp_path, write_video):
    videos = tmp_path / "videos"
    write_video(videos / "park.mp4", num_frames=24, rate=8)
    table = _table(
        tmp_path,
        "park,1.5,0.1,0.2,0.5,0.75,walk,3",
        "park,1.5,0.1,0.2,0.5,0.75,talk|wave,3",
        "park,1.5,0.5,0,1,1,walk,",
        "park,2.5,,,,,,",
        "park,7,0,0,1,1,walk,",
        "gone,1,0,0,1,1,walk,",
    )
    done = convert.convert(
        dataset="boxes", videos=videos, annotations=table, output=tmp_path / "records", quiet=True
    )
    assert done.label_names == ("talk", "walk", "wave")
    found = {}
    for path in manifest.find_shards(tmp_path / "records", "train").paths:
        for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
            example = records.decode_example(record)
            found[example.example_id] = example
    assert sorted(found) == ["park@1.5", "park@2.5"]
    first, second = found["park@1.5"].key_frame.boxes
    assert (first.ymin, first.xmin, first.ymax, first.xmax) == pytest.approx((0.2, 0.1, 0.75, 0.5))
    assert (set(first.labels), first.track) == ({0, 1, 2}, 3)
    assert (second.labels, second.track) == ((1,), None)
    key = found["park@1.5"]
    assert key.timestamps_us[key.key_frame.frame_index] == 1_500_000
    assert found["park@2.5"].key_frame.boxes == ()
    report = (tmp_path / "records" / "train-videos.csv").read_text()
    assert "park@7,failed" in report
    assert "beyond the end" in report
    assert "gone@1,failed,no such file" in report


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a,1,0.1,0.1,1.2,0.5,walk,", "outside the frame"),
        ("a,1,-0.1,0.1,0.2,0.5,walk,", "outside the frame"),
        ("a,1,0.5,0.1,0.5,0.5,walk,", "no area"),
        ("a,1,0.1,0.1,x,0.5,walk,", "x2 'x' is not a number"),
        ("a,1,0.1,0.1,,0.5,walk,", "x2 '' is not a number"),
        ("a,1,0.1,0.1,0.5,0.5,,", "no label"),
        ("a,-1,0.1,0.1,0.5,0.5,walk,", "before the video begins"),
        ("a,soon,0.1,0.1,0.5,0.5,walk,", "second 'soon' is not a number"),
        ("a,1,0.1,0.1,0.5,0.5,walk,me", "person 'me' is not a number"),
        (",1,0.1,0.1,0.5,0.5,walk,", "names no video"),
        ("a,1,0,0,1,1,walk,", "repeats an earlier row"),
        ("a,1,0,0,1,1,walk,3,talk", "has cells beyond the 8 columns: talk"),
        ("a,1,,,,,walk,", "the label has no box"),
    ],
)
def test_a_row_that_cannot_be_used_is_told_and_the_others_stay(tmp_path, row, reason):
    table = _table(tmp_path, "a,1,0,0,1,1,walk,", row)
    split = boxes_file.read(table, videos=tmp_path).splits["train"]
    (clip,) = split.clips
    assert len(clip.key_frame.persons) == 1
    (refused,) = split.refused
    assert "row 3" in refused.reason
    assert reason in refused.reason
    assert refused.fault


@pytest.mark.parametrize(
    "header", ["video,second,x1,y1,x2,y2", f"{_HEADER},mood", f"{_HEADER},x1", "a,1,0,0,1,1,w"]
)
def test_another_header_is_refused(tmp_path, header):
    with pytest.raises(errors.UserError, match="first line"):
        boxes_file.read(_table(tmp_path, "a,1,0,0,1,1,w", header=header), videos=tmp_path)


def test_splits_are_those_of_the_column(tmp_path):
    header = "video,second,x1,y1,x2,y2,label,split"
    rows = "a,1,0,0,1,1,walk,train", "b,1,0,0,1,1,run,test"
    table = _table(tmp_path, *rows, header=header)
    assert set(boxes_file.read(table, videos=tmp_path).splits) == {"train", "test"}
    with pytest.raises(errors.UserError, match="--split=val"):
        boxes_file.read(table, videos=tmp_path, split="val")
