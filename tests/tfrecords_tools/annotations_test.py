# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of tfrecords_tools.annotations."""

import pathlib

import pytest

from official_cvrl import errors
from tfrecords_tools import annotations


def _touch(root, *names):
    for name in names:
        path = pathlib.Path(root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def _labels(split):
    return {clip.data_path: clip.labels for clip in split.clips}


class TestFolder:
    def test_class_folders(self, tmp_path):
        _touch(tmp_path, "run/b.mp4", "run/a.avi", "jump/deep/c.mkv", ".git/x", "run/.y.mp4")
        found = annotations.read_folder(tmp_path)
        assert found.label_names == ("jump", "run")
        assert _labels(found.splits["train"]) == {
            "jump/deep/c.mkv": ("jump",),
            "run/a.avi": ("run",),
            "run/b.mp4": ("run",),
        }
        clip = found.splits["train"].clips[0]
        assert (clip.path, clip.start_us, clip.end_us) == (f"{tmp_path}/jump/deep/c.mkv", 0, None)
        assert clip.example_id == "jump/deep/c.mkv"
        assert list(annotations.read_folder(tmp_path, split="mine").splits) == ["mine"]

    def test_videos_alone_have_no_labels(self, tmp_path):
        _touch(tmp_path, "b.mp4", "a.mp4")
        found = annotations.read_folder(tmp_path)
        assert found.label_names == ()
        assert _labels(found.splits["train"]) == {"a.mp4": (), "b.mp4": ()}

    def test_unlabelled(self, tmp_path):
        _touch(tmp_path, "monday/b.mp4", "a.mp4")
        found = annotations.read_folder(tmp_path, unlabelled=True)
        assert found.label_names == ()
        assert _labels(found.splits["train"]) == {"a.mp4": (), "monday/b.mp4": ()}

    def test_split_folders_share_a_label_map(self, tmp_path):
        _touch(tmp_path, "train/run/a.mp4", "train/fly/b.mp4", "val/run/a.mp4", "val/hop/c.mp4")
        found = annotations.read_folder(tmp_path)
        assert found.label_names == ("fly", "hop", "run")
        assert _labels(found.splits["train"]) == {
            "train/fly/b.mp4": ("fly",),
            "train/run/a.mp4": ("run",),
        }
        only = annotations.read_folder(tmp_path, split="val")
        assert list(only.splits) == ["val"]
        assert only.label_names == found.label_names
        with pytest.raises(errors.UserError, match="--split=test.*train, val"):
            annotations.read_folder(tmp_path, split="test")

    def test_a_class_called_like_a_split_is_still_a_class(self, tmp_path):
        _touch(tmp_path, "train/a.mp4", "plane/b.mp4")
        assert annotations.read_folder(tmp_path).label_names == ("plane", "train")

    def test_what_is_no_input_is_told(self, tmp_path):
        _touch(tmp_path, "run/a.mp4", "run/list.CSV", "loose.mp4", "run/cover.jpg", "run/b")
        split = annotations.read_folder(tmp_path).splits["train"]
        assert [clip.data_path for clip in split.clips] == ["run/a.mp4", "run/b"]
        told = {one.data_path: (one.reason, one.fault) for one in split.refused}
        assert told == {
            "loose.mp4": ("lies beside the class folders, so has no class", True),
            "run/cover.jpg": ("not a video by its name (.jpg)", False),
            "run/list.CSV": ("not a video by its name (.CSV)", False),
        }

    def test_links_are_followed_once(self, tmp_path):
        _touch(tmp_path, "real/a.mp4")
        (tmp_path / "videos").mkdir()
        (tmp_path / "videos" / "run").symlink_to(tmp_path / "real")
        (tmp_path / "real" / "again").symlink_to(tmp_path / "videos")
        found = annotations.read_folder(tmp_path / "videos").splits["train"]
        assert [clip.data_path for clip in found.clips] == ["run/a.mp4"]

    def test_names_that_are_not_utf8(self, tmp_path):
        (tmp_path / "run").mkdir()
        with open(bytes(tmp_path / "run") + b"/\xff.mp4", "wb"):
            pass
        (clip,) = annotations.read_folder(tmp_path).splits["train"].clips
        assert clip.data_path == "run/\ufffd.mp4"
        assert clip.source_bytes() == 0

    def test_faults(self, tmp_path):
        with pytest.raises(errors.UserError, match="nowhere: no such folder"):
            annotations.read_folder(tmp_path / "nowhere")
        with pytest.raises(errors.UserError, match="no files"):
            annotations.read_folder(tmp_path)
        _touch(tmp_path, "file")
        with pytest.raises(errors.UserError, match="is a file"):
            annotations.read_folder(tmp_path / "file")


class TestCsv:
    def _read(self, tmp_path, text, **arguments):
        (tmp_path / "list.csv").write_text(text)
        return annotations.read_csv(tmp_path / "list.csv", videos=tmp_path, **arguments)

    def test_rows(self, tmp_path):
        found = self._read(
            tmp_path,
            "path, start,end,label\n"
            "a.mp4,1.5,2.25,run\n"
            "a.mp4,2.25,,jump|run\n"
            '"b, c.mp4",,,\n'
            "/else/d.mp4,0,10,fly\n",
        )
        assert found.label_names == ("fly", "jump", "run")
        first, second, third, fourth = found.splits["train"].clips
        assert (first.start_us, first.end_us, first.labels) == (1_500_000, 2_250_000, ("run",))
        assert first.path == f"{tmp_path}/a.mp4"
        assert first.example_id == "a.mp4@1.5-2.25"
        assert (second.end_us, second.labels) == (None, ("jump", "run"))
        assert second.example_id == "a.mp4@2.25-"
        assert (third.data_path, third.labels, third.example_id) == ("b, c.mp4", (), "b, c.mp4")
        assert fourth.path == "/else/d.mp4"

    def test_times_close_together_give_different_ids(self, tmp_path):
        found = self._read(tmp_path, "path,start,end\na,1234.56781,1300\na,1234.56782,1300\n")
        assert len(found.splits["train"].clips) == 2
        assert not found.splits["train"].refused

    def test_splits_by_column(self, tmp_path):
        text = "path,split,label\na,train,x\nb,val,y\nc,,x\n"
        found = self._read(tmp_path, text)
        assert {name: len(split.clips) for name, split in found.splits.items()} == {
            "train": 2,
            "val": 1,
        }
        only = self._read(tmp_path, text, split="val")
        assert list(only.splits) == ["val"]
        assert only.label_names == ("x", "y")
        assert list(self._read(tmp_path, "path\na\n", split="mine").splits) == ["mine"]

    def test_bad_rows_are_told_and_the_rest_kept(self, tmp_path):
        split = self._read(
            tmp_path, "path,start,end\na,0,1\nb,x,1\nc,5,4\na,0,1\n,0,1\nd,nan,\ne,-1,\n"
        ).splits["train"]
        assert [clip.data_path for clip in split.clips] == ["a"]
        assert [(one.data_path, one.reason) for one in split.refused] == [
            ("b", "start 'x' is not a number of seconds"),
            ("c", "end 4 is not after start 5"),
            ("a", "the same video and times stand in an earlier row"),
            ("", "the row has no path"),
            ("d", "start 'nan' is not a number of seconds"),
            ("e", "start '-1' is not a number of seconds"),
        ]

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "first line must name the columns"),
            ("a.mp4,run\nb.mp4,run\n", "first line must name the columns.*'a.mp4,run'"),
            ("path,lable\na,b\n", "first line must name the columns.*'path,lable'"),
            ("path\n", "no rows"),
        ],
    )
    def test_bad_tables(self, tmp_path, text, words):
        with pytest.raises(errors.UserError, match=words):
            self._read(tmp_path, text)

    def test_no_table(self, tmp_path):
        with pytest.raises(errors.UserError, match="list.csv: cannot be read"):
            annotations.read_csv(tmp_path / "list.csv", videos=tmp_path)


class TestUcf101:
    @pytest.fixture
    def lists(self, tmp_path):
        lists = tmp_path / "lists"
        lists.mkdir()
        # The official files end their lines so.
        (lists / "classInd.txt").write_bytes(b"1 Archery\r\n2 BabyCrawling\r\n3 Aerobics\r\n")
        (lists / "trainlist01.txt").write_bytes(
            b"Archery/v_Archery_g08_c01.avi 1\r\nBabyCrawling/v_BabyCrawling_g08_c01.avi 2\r\n"
        )
        (lists / "testlist01.txt").write_bytes(b"Archery/v_Archery_g01_c01.avi\r\n")
        (lists / "trainlist02.txt").write_bytes(b"Archery/v_Archery_g01_c01.avi 1\r\n")
        return lists

    def test_official_lists(self, tmp_path, lists):
        _touch(tmp_path, "v/Archery/v_Archery_g08_c01.avi", "v/v_BabyCrawling_g08_c01.avi")
        found = annotations.read_ucf101(lists, videos=tmp_path / "v")
        assert found.label_names == ("Archery", "BabyCrawling", "Aerobics")
        assert _labels(found.splits["train"]) == {
            "Archery/v_Archery_g08_c01.avi": ("Archery",),
            "BabyCrawling/v_BabyCrawling_g08_c01.avi": ("BabyCrawling",),
        }
        assert [clip.path for clip in found.splits["train"].clips] == [
            f"{tmp_path}/v/Archery/v_Archery_g08_c01.avi",
            f"{tmp_path}/v/v_BabyCrawling_g08_c01.avi",
        ]
        assert _labels(found.splits["test"]) == {"Archery/v_Archery_g01_c01.avi": ("Archery",)}

    def test_split_and_fold(self, tmp_path, lists):
        found = annotations.read_ucf101(lists, videos=tmp_path, split="train", fold=2)
        assert list(found.splits) == ["train"]
        assert list(_labels(found.splits["train"])) == ["Archery/v_Archery_g01_c01.avi"]

    @pytest.mark.parametrize(
        ("changed", "arguments", "words"),
        [
            ({}, {"split": "val"}, "--split=val.*train and test"),
            ({}, {"fold": 3}, "trainlist03.txt: cannot be read.*official"),
            ({"classInd.txt": "Archery\n"}, {}, "classInd.txt: 'Archery' is not"),
            ({"classInd.txt": "1 A\n3 B\n"}, {}, "not 1 to 2"),
            ({"testlist01.txt": "Flying/a.avi\n"}, {}, "testlist01.txt: 'Flying/a.avi'"),
        ],
    )
    def test_faults(self, tmp_path, lists, changed, arguments, words):
        for name, text in changed.items():
            (lists / name).write_text(text)
        with pytest.raises(errors.UserError, match=words):
            annotations.read_ucf101(lists, videos=tmp_path, **arguments)


class TestHoldOut:
    def _found(self, *clips):
        return annotations.Annotations({"train": annotations.Split(clips)}, ("a", "b"))

    def _clips(self, label, count):
        return [annotations.Clip("", f"{label}/{n}.mp4", (label,)) for n in range(count)]

    def test_takes_a_share_of_each_class(self):
        found = self._found(*self._clips("a", 20), *self._clips("b", 10))
        held = annotations.hold_out(found, fraction=0.2)
        labels = [clip.labels[0] for clip in held.splits["test"].clips]
        assert (labels.count("a"), labels.count("b")) == (4, 2)
        train, test = (set(held.splits[name].clips) for name in ("train", "test"))
        assert not train & test
        assert train | test == set(found.splits["train"].clips)

    def test_is_stable_under_order_and_additions(self):
        clips = self._clips("a", 40)
        before = annotations.hold_out(self._found(*clips), fraction=0.25).splits["test"].clips
        turned = annotations.hold_out(self._found(*clips[::-1]), fraction=0.25).splits["test"].clips
        more = annotations.hold_out(self._found(*self._clips("a", 44)), fraction=0.25)
        assert set(before) == set(turned)
        assert set(before) != set(sorted(clips, key=lambda clip: clip.data_path)[:10])
        assert len(set(before) & set(more.splits["test"].clips)) >= 8

    def test_parts_of_one_file_stay_together(self):
        parts = [
            annotations.Clip("", f"{n // 4}.mp4", ("ab"[n % 2],), start_us=n) for n in range(80)
        ]
        held = annotations.hold_out(self._found(*parts), fraction=0.3)
        train, test = (
            {clip.data_path for clip in held.splits[name].clips} for name in ("train", "test")
        )
        assert test
        assert not train & test

    def test_a_class_of_one_stays_in_train(self):
        held = annotations.hold_out(self._found(*self._clips("a", 1)), fraction=0.5)
        assert not held.splits["test"].clips

    def test_faults(self):
        for fraction in (-0.5, 1.0, 7.0):
            with pytest.raises(errors.UserError, match="between 0 and 1"):
                annotations.hold_out(self._found(), fraction=fraction)
        two = annotations.Annotations({"train": annotations.Split(()), "val": None}, ())
        with pytest.raises(errors.UserError, match="split already .train, val."):
            annotations.hold_out(two, fraction=0.5)
