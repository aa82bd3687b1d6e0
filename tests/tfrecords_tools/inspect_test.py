# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of tfrecords_tools.inspect and of what its options call."""

import io
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from official_cvrl import manifest, records, regions
from tests import full_disk
from tfrecords_tools import check, convert, inspect


@pytest.fixture(scope="module")
def converted(tmp_path_factory, class_folders):
    output = tmp_path_factory.mktemp("records")
    convert.convert(
        dataset="folder", videos=class_folders, output=output, workers=2, num_shards=2, quiet=True
    )
    return output


@pytest.fixture
def folder(converted, tmp_path):
    return shutil.copytree(converted, tmp_path / "copy")


def _jpeg(value=0, *, size=(8, 6), mode="RGB"):
    buffer = io.BytesIO()
    Image.new(mode, size, value).save(buffer, "JPEG")
    return buffer.getvalue()


def _record(**changes):
    arguments = {
        "frames": [_jpeg(0), _jpeg(50)],
        "height": 6,
        "width": 8,
        "frame_rate": 25.0,
        "timestamps_us": [0, 40_000],
        "example_id": "a",
    }
    return records.encode_example(**{**arguments, **changes})


def _write(folder, *serialized, name="train-00000-of-00001"):
    with tf.io.TFRecordWriter(str(folder / name)) as writer:
        for one in serialized:
            writer.write(one)


def _inspect(*arguments):
    return inspect.main([*map(str, arguments), "--quiet"])


def test_tells_what_is_there(converted, capsys):
    assert _inspect(converted) == 0
    told = capsys.readouterr().out
    assert "train: 9 videos in 2 shards" in told
    assert re.search(r"frames +\d+ \(\d+(\.\d)? k?B each\)", told)
    assert "size        48x32 (9)" in told
    assert "labels      2 classes of 2: run 5, jump high 4" in told
    assert "2 failed, 1 incomplete, 1 skipped" in told


def test_a_check_tells_how_far_it_is(converted, capsys):
    assert inspect.main([str(converted), "--check"]) == 0
    assert capsys.readouterr().err.startswith("check train: 9/9 records, ")


def test_tells_the_same_without_manifest_and_report(folder, capsys):
    _inspect(folder)
    first = capsys.readouterr().out
    for name in ("manifest.json", "train-videos.csv"):
        (folder / name).unlink()
    _inspect(folder)
    assert capsys.readouterr().out.splitlines() == first.splitlines()[:-1]


def test_foreign_records_without_sizes(tmp_path, capsys):
    _write(
        tmp_path,
        tf.train.SequenceExample(
            feature_lists=tf.train.FeatureLists(
                feature_list={
                    "image/encoded": tf.train.FeatureList(
                        feature=[tf.train.Feature(bytes_list=tf.train.BytesList(value=[_jpeg()]))]
                    )
                }
            )
        ).SerializeToString(),
    )
    assert _inspect(tmp_path, "--check") == 0
    told = capsys.readouterr().out
    assert "size        not stated (1)" in told
    assert "labels      none" in told


def test_wrong_places_are_user_errors(tmp_path, folder, capsys):
    assert _inspect(tmp_path / "nowhere") == 2
    assert "nowhere: no such directory" in capsys.readouterr().err
    assert _inspect(folder, "--split=test") == 2
    assert "no shards of split 'test'" in capsys.readouterr().err
    (tmp_path / "my videos").mkdir()
    assert _inspect(tmp_path / "my videos") == 2
    said = capsys.readouterr().err
    assert "no shards" in said and f"--videos='{tmp_path}/my videos' --output" in said
    assert _inspect(folder, f"--contact_sheet={tmp_path}/no/sheet.png") == 2
    assert "sheet.png' cannot be written" in capsys.readouterr().err
    for number in ("0", "-3"):
        assert _inspect(folder, f"--contact_sheet={tmp_path}/a.png", f"--num_videos={number}") == 2
        assert f"--num_videos={number} must be at least 1" in capsys.readouterr().err
    for name in ("look.xyz", "look"):
        assert _inspect(folder, "--check", f"--contact_sheet={tmp_path}/{name}") == 2
        said = capsys.readouterr()
        assert f"{name}: the picture is a PNG file" in said.err and ".png" in said.err
        assert not said.out and not (tmp_path / name).exists()


def test_a_full_disk_leaves_the_picture_before(folder, tmp_path, capsys):
    sheet = tmp_path / "sheet.png"
    sheet.write_text("before")
    with full_disk.full_after(1000):
        assert _inspect(folder, f"--contact_sheet={sheet}", "--num_videos=1") == 2
    assert "Give --contact_sheet=FILE.png in a folder that" in capsys.readouterr().err
    assert sheet.read_text() == "before"
    assert list(tmp_path.glob("*.p*")) == [sheet]


class TestCheck:
    def test_what_convert_wrote_has_no_faults(self, converted, capsys):
        assert _inspect(converted, "--check") == 0
        assert "every frame decodes, no faults" in capsys.readouterr().out

    def _faults(self, folder, *serialized):
        _write(folder, *serialized)
        return check.check_split(folder, "train", quiet=True)

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"frames": [_jpeg(), _jpeg()[:-20]]}, "frame 1: does not decode"),
            ({"frames": [_jpeg(), _jpeg(size=(9, 6))]}, "frame 1: is 9x6, the record says 8x6"),
            ({"frames": [_jpeg(mode="L"), _jpeg()]}, "frame 0: has 1 channel"),
            ({"timestamps_us": [5, 5]}, "timestamps do not increase"),
            ({"labels": [2]}, "label 2 is not in labels.txt .0 to 1."),
            ({"labels": [-2]}, "has the label -2, and labels count from 0"),
        ],
    )
    def test_faults_of_a_record_are_named_with_their_place(self, tmp_path, changes, words):
        manifest.write_labels(tmp_path, ["x", "y"])
        faults = self._faults(tmp_path, _record(example_id="good"), _record(**changes))
        assert len(faults) == 1
        assert re.search(rf"train-00000-of-00001 record 1 \(a\): .*{words}", faults[0])

    def test_the_label_of_none_is_no_fault(self, tmp_path, capsys):
        manifest.write_labels(tmp_path, ["x", "y"])
        _write(tmp_path, _record(labels=[-1], example_id="b"), _record(labels=[1]))
        assert _inspect(tmp_path, "--check") == 0
        assert "1 classes of 2, 1 videos without: y 1" in capsys.readouterr().out

    def test_other_layouts_are_explained(self, tmp_path):
        faults = self._faults(tmp_path, _record(), b"\xff\xff\xff")
        assert len(faults) == 1
        assert "train-00000-of-00001 record 1: it is not a tf.train.SequenceExample" in faults[0]

    def test_the_same_example_twice(self, tmp_path):
        faults = self._faults(tmp_path, _record(), _record())
        assert faults == ["train-00000-of-00001: 'a' is in train-00000-of-00001, too"]

    def test_a_flipped_bit_is_found_with_and_without_manifest(self, folder, capsys):
        shard = sorted(folder.glob("*-of-*"))[1]
        content = bytearray(shard.read_bytes())
        content[len(content) // 2] ^= 1
        shard.write_bytes(content)
        assert _inspect(folder, "--check") == 1
        told = capsys.readouterr().out
        assert f"{shard.name}: its content is not what manifest.json says" in told
        assert re.search(rf"{shard.name} record \d+: damaged or truncated", told)
        (folder / "manifest.json").unlink()
        assert _inspect(folder, "--check") == 1
        assert f"{shard.name} record" in capsys.readouterr().out

    def test_cut_missing_and_empty_shards(self, folder, capsys):
        first, second = sorted(folder.glob("*-of-*"))
        first.write_bytes(first.read_bytes()[:-5])
        assert _inspect(folder, "--check") == 1
        assert f"{first.name} record" in capsys.readouterr().out
        assert _inspect(folder) == 2
        assert "truncated" in capsys.readouterr().err
        first.unlink()
        assert _inspect(folder, "--check") == 1
        assert f"{first.name} is missing" in capsys.readouterr().out
        first.write_bytes(b"")
        (folder / "manifest.json").unlink()
        assert _inspect(folder, "--check") == 1
        assert f"{first.name}: the shard is empty" in capsys.readouterr().out


class TestContactSheet:
    def _draw(self, folder, tmp_path, **options):
        path = tmp_path / "sheet.png"
        flags = [f"--{name}={value}" for name, value in options.items()]
        assert _inspect(folder, f"--contact_sheet={path}", *flags) == 0
        return np.asarray(Image.open(path)).astype(int)

    def test_a_row_for_each_video(self, converted, tmp_path):
        nine = self._draw(converted, tmp_path)
        three = self._draw(converted, tmp_path, num_videos=3)
        row = (nine.shape[0] - three.shape[0]) / 6
        assert nine.shape[1:] == three.shape[1:]
        assert 100 < row < 200
        red = (nine[..., 0] > 180) & (nine[..., 1] < 80)
        rows = np.flatnonzero(red.any(axis=1))
        assert 1 + np.count_nonzero(np.diff(rows) > 20) == 9
        columns = np.flatnonzero(red.any(axis=0))
        assert 1 + np.count_nonzero(np.diff(columns) > 20) == 6

    def test_letters_beyond_ascii_are_no_boxes(self, tmp_path):
        drawn = set()
        for letter in "ßà–ЖΩł":
            folder = tmp_path / letter
            folder.mkdir()
            _write(folder, _record(labels=[0], example_id="a"), name="train-00000-of-00001")
            (folder / "labels.txt").write_text(f"{letter}\n", encoding="utf-8")
            drawn.add(self._draw(folder, tmp_path).tobytes())
        assert len(drawn) == 6

    def test_classes_take_turns(self, tmp_path):
        for label in range(3):
            records_of_label = [
                _record(
                    frames=[_jpeg((255 * (label == 0), 255 * (label == 1), 255 * (label == 2)))],
                    timestamps_us=[0],
                    labels=[label],
                    example_id=f"{label}{number}",
                )
                for number in range(4)
            ]
            _write(tmp_path, *records_of_label, name=f"train-{label:05d}-of-00003")
        sheet = self._draw(tmp_path, tmp_path, num_videos=3)
        for channel in range(3):
            others = [other for other in range(3) if other != channel]
            pure = (sheet[..., channel] > 200) & (sheet[..., others].max(axis=-1) < 60)
            assert pure.sum() > 20

    def test_persons_have_boxes_in_the_key_frame_alone(self, tmp_path):
        boxes = (
            regions.Box(0.25, 0.0, 0.75, 0.5, labels=(1,), label_names=("stand",)),
            regions.Box(0.0, 0.5, 1.0, 1.0, score=0.5),
        )
        record = _record(
            frames=[_jpeg(90, size=(176, 132))] * 9,
            timestamps_us=range(9),
            height=132,
            width=176,
            key_frame=regions.KeyFrame(4, boxes),
        )
        _write(tmp_path, record)
        sheet = self._draw(tmp_path, tmp_path)
        red, green, blue = np.moveaxis(sheet, -1, 0)
        for drawn, (ymin, xmin, ymax, xmax) in (
            ((red > 250) & (green > 200) & (blue < 20), (0.25, 0.0, 0.75, 0.5)),
            ((red < 60) & (blue > 250), (0.0, 0.5, 1.0, 1.0)),
        ):
            rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
            left = 20 + 264 + 2 * 184  # Where frame 3 of 0, 2, 3, 5, 6, 8 would be.
            assert abs(rows[0] - (20 + 132 * ymin)) <= 1
            assert abs(rows[-1] - (20 + 132 * ymax)) <= 2
            assert abs(columns[0] - (left + 176 * xmin)) <= 1
            assert abs(columns[-1] - (left + 176 * xmax)) <= 2
