# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of tfrecords_tools.convert: the command and the function, on real files and processes."""

import os
import shutil

import pytest
import tensorflow as tf

from official_cvrl import errors, locks, manifest, records, regions
from tests.tfrecords_tools import folders
from tfrecords_tools import convert, official_labels, results


def test_class_folders_become_shards(converted):
    output, summary = converted
    shards = manifest.find_shards(output, "train")
    assert shards.num_examples == summary.num_converted == 9
    assert shards.label_names == summary.label_names == ("jump high", "run")
    assert len(shards.paths) == 3
    (split,) = summary.splits
    assert (split.num_shards, split.num_kept) == (3, 0)
    assert split.bytes == sum(os.path.getsize(path) for path in shards.paths)


def test_the_report_names_every_input_with_its_reason(converted):
    output, summary = converted
    told = {one.path: one for one in results.read_report(output, "train")}
    assert len(told) == 12
    faults = {one.path: (one.status, one.reason) for one in summary.splits[0].faults}
    assert faults["run/notes.txt"] == ("skipped", "not a video by its name (.txt)")
    assert faults["run/empty.mp4"] == ("failed", "the file is empty (0 bytes)")
    assert faults["run/words.mp4"][0] == "failed"
    assert faults["run/cut.mkv"][0] == "incomplete"
    assert set(told) - set(faults) == {
        f"{label}/{n}.mp4" for label in ("run", "jump high") for n in range(4)
    }


def test_the_manifest_holds_settings_counts_and_checksums(converted):
    output, summary = converted
    entry = manifest.read_manifest(output)["splits"]["train"]
    assert entry["settings"]["short_side"] == 320
    assert entry["settings"]["dataset"] == "folder"
    assert entry["status"] == {"converted": 8, "failed": 2, "incomplete": 1, "skipped": 1}
    assert entry["num_videos"] == 12
    assert sum(shard["num_examples"] for shard in entry["shards"]) == entry["num_examples"] == 9
    assert sorted(folders.content(output)) == sorted(
        [*(shard["name"] for shard in entry["shards"]), *_OTHER_FILES]
    )


_OTHER_FILES = ["labels.txt", "manifest.json", "train-videos.csv"]


class TestAgain:
    @pytest.fixture
    def output(self, converted, tmp_path):
        return shutil.copytree(converted[0], tmp_path / "copy")

    def test_nothing_is_done_twice(self, output, class_folders):
        before = {path: path.stat().st_mtime_ns for path in output.glob("*-of-*")}
        assert folders.convert(class_folders, output).splits[0].num_kept == 3
        assert before == {path: path.stat().st_mtime_ns for path in output.glob("*-of-*")}

    def test_missing_and_cut_shards_are_made_again_to_the_byte(self, output, class_folders):
        before = folders.content(output)
        first, second, _ = sorted(output.glob("*-of-*"))
        first.unlink()
        second.write_bytes(second.read_bytes()[:-1])
        assert folders.convert(class_folders, output).splits[0].num_kept == 1
        assert folders.content(output) == before

    def test_other_settings_are_refused_with_the_difference(self, output, class_folders):
        before = folders.content(output)
        with pytest.raises(errors.UserError, match="quality 90 before and 50 now"):
            folders.convert(class_folders, output, quality=50)
        assert folders.content(output) == before

    def test_a_repaired_video_is_taken_in(self, output, class_folders, tmp_path, write_video):
        videos = shutil.copytree(class_folders, tmp_path / "videos")
        write_video(videos / "run" / "empty.mp4", num_frames=5)
        summary = folders.convert(videos, output)
        assert summary.num_converted == 10
        assert summary.splits[0].num_kept == 2

    def test_another_split_must_fit_the_label_map(self, output, tmp_path, write_video):
        write_video(tmp_path / "more" / "run" / "a.mp4")
        summary = folders.convert(tmp_path / "more", output, split="test")
        assert summary.label_names == ("jump high", "run")
        assert manifest.list_splits(output) == ("test", "train")
        write_video(tmp_path / "more" / "swim" / "a.mp4")
        with pytest.raises(errors.UserError, match="label map without swim"):
            folders.convert(tmp_path / "more", output, split="val")


def test_one_conversion_into_a_folder_at_a_time(tmp_path, write_video):
    write_video(tmp_path / "videos" / "a.mp4", num_frames=3)
    out = tmp_path / "out"
    out.mkdir()
    with locks.alone(str(out / convert._LOCK), others=""):
        message = f"{out} is in use by another conversion: process {os.getpid()}"
        for place in (out, f"file://{out}"):
            with pytest.raises(errors.UserError, match=message):
                folders.convert(tmp_path / "videos", place)
        assert not list(out.glob("[!.]*"))
    assert folders.convert(tmp_path / "videos", out).num_converted == 1
    assert not list(out.glob(".*"))


def test_split_folders_and_unlabelled(tmp_path, write_video):
    for count, name in enumerate(("train/a/1", "train/b/2", "test/b/3"), start=3):
        write_video(tmp_path / "videos" / f"{name}.mp4", num_frames=count)
    summary = folders.convert(tmp_path / "videos", tmp_path / "out")
    assert [(one.name, one.num_converted) for one in summary.splits] == [("test", 1), ("train", 2)]
    assert [sorted(one.classes) for one in summary.splits] == [["b"], ["a", "b"]]
    assert manifest.find_shards(tmp_path / "out", "test").label_names == ("a", "b")
    flat = folders.convert(tmp_path / "videos" / "train", tmp_path / "flat", unlabelled=True)
    assert flat.label_names == ()
    assert flat.num_converted == 2


def test_duplicates_are_told_and_taken_in_when_replaced(tmp_path, write_video):
    videos, out = tmp_path / "videos", tmp_path / "out"
    for name in ("a", "b"):
        write_video(videos / f"{name}.mp4", num_frames=3)
    assert folders.convert(videos, out).num_converted == 1
    told = {one.path: (one.status, one.reason) for one in results.read_report(out, "train")}
    assert told == {
        "a.mp4": ("converted", ""),
        "b.mp4": ("skipped", "duplicate content: the same bytes as a.mp4"),
    }
    assert folders.convert(videos, out).splits[0].num_kept == 1
    write_video(videos / "b.mp4", num_frames=5)
    assert folders.convert(videos, out).num_converted == 2


def test_test_fraction(class_folders, tmp_path):
    summary = folders.convert(class_folders, tmp_path / "out", test_fraction=0.25)
    counts = {one.name: one.num_converted for one in summary.splits}
    assert counts["train"] + counts["test"] == 9
    assert 2 <= counts["test"] <= 3


def test_another_test_fraction_is_refused_by_name(class_folders, tmp_path):
    folders.convert(class_folders, tmp_path / "out")
    with pytest.raises(errors.UserError, match="test_fraction not given before and 0.25 now"):
        folders.convert(class_folders, tmp_path / "out", test_fraction=0.25)


def test_a_split_without_any_video_is_not_made(tmp_path, write_video):
    write_video(tmp_path / "videos" / "a.mp4", num_frames=3)
    table = tmp_path / "list.csv"
    table.write_text("path,label,split\na.mp4,x,train\nb.mp4,x,test\n")
    for later in (False, True):
        if later:
            write_video(tmp_path / "videos" / "b.mp4", num_frames=3)
        summary = folders.convert(
            tmp_path / "videos", tmp_path / "out", dataset="csv", annotations=table
        )
        splits = ("test", "train") if later else ("train",)
        assert manifest.list_splits(tmp_path / "out") == splits
        assert tuple(manifest.read_manifest(tmp_path / "out")["splits"]) == splits
        assert len(results.read_report(tmp_path / "out", "test")) == 1
        assert summary.num_converted == len(splits)


def test_csv_with_times(tmp_path, write_video):
    write_video(tmp_path / "videos" / "a.mp4", num_frames=20, rate=10)
    (tmp_path / "list.csv").write_text(
        "path,start,end,label\na.mp4,0,1,x\na.mp4,1,2,y\nb.mp4,,,x\n"
    )
    table = tmp_path / "list.csv"
    summary = folders.convert(
        tmp_path / "videos", tmp_path / "out", dataset="csv", annotations=table
    )
    told = {one.example_id: one for one in results.read_report(tmp_path / "out", "train")}
    assert summary.num_converted == 2
    assert told["a.mp4@1-2"].num_frames == 10
    assert told["b.mp4"].reason == "no such file"


def test_ucf101(tmp_path, write_video):
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "classInd.txt").write_text("1 Archery\n2 Bowling\n")
    (lists / "trainlist01.txt").write_text("Bowling/v_Bowling_g08_c01.avi 2\n")
    (lists / "testlist01.txt").write_text("Bowling/v_Bowling_g01_c01.avi\n")
    for group in ("g08", "g01"):
        write_video(tmp_path / "videos" / "Bowling" / f"v_Bowling_{group}_c01.avi")
    out = tmp_path / "out"
    summary = folders.convert(tmp_path / "videos", out, dataset="ucf101", annotations=lists)
    assert summary.label_names == ("Archery", "Bowling")
    assert {one.name: one.num_converted for one in summary.splits} == {"train": 1, "test": 1}


def test_kinetics_takes_in_what_arrives_later(tmp_path, write_video):
    videos, out = tmp_path / "videos", tmp_path / "out"
    write_video(videos / "a.mp4", num_frames=80, rate=10)
    write_video(videos / "x" / "b_000003_000005.mkv", num_frames=20, rate=10)
    table = tmp_path / "val.csv"
    table.write_text(
        "label,youtube_id,time_start,time_end,split\n"
        "x,a,3,5,val\nx,b,3,5,val\ny,c,3,5,val\ny,d,5,3,val\n"
    )
    arguments = {"dataset": "kinetics", "annotations": table}
    summary = folders.convert(videos, out, **arguments)
    told = {one.path: one for one in results.read_report(out, "val")}
    assert summary.label_names == ("x", "y")
    assert {path: (one.example_id, one.num_frames) for path, one in told.items()} == {
        "a.mp4": ("a_000003_000005", 20),
        "x/b_000003_000005.mkv": ("b_000003_000005", 20),
        "y/c_000003_000005": ("c_000003_000005", 0),
        "d": ("", 0),
    }
    assert told["y/c_000003_000005"].reason == "no such file"
    assert told["d"].reason == "time_end 3 is not after time_start 5"
    write_video(videos / "c.mp4", num_frames=20, rate=10)
    assert folders.convert(videos, out, **arguments).num_converted == 3
    with pytest.raises(errors.UserError, match="label map without abseiling"):
        folders.convert(videos, out, **arguments, version="400")


def test_hmdb51(tmp_path, write_video):
    lists = tmp_path / "lists"
    lists.mkdir()
    for label in official_labels.read("hmdb51"):
        (lists / f"{label}_test_split2.txt").write_text(f"{label}.avi {1 + (label > 'n')} \n")
    for label in ("wave", "chew"):
        write_video(tmp_path / "videos" / label / f"{label}.avi")
    out = tmp_path / "out"
    summary = folders.convert(tmp_path / "videos", out, dataset="hmdb51", annotations=lists, fold=2)
    assert {one.name: one.num_converted for one in summary.splits} == {"train": 1, "test": 1}
    assert sum(len(one.faults) for one in summary.splits) == 49
    assert manifest.read_manifest(out)["splits"]["train"]["settings"]["fold"] == 2


class TestAva:
    @pytest.fixture
    def arguments(self, tmp_path):
        lists = tmp_path / "lists"
        lists.mkdir()
        (lists / "ava_val_v2.2.csv").write_text(
            "film,0902,0.25,0.5,0.75,1.0,12,3\nfilm,0902,0.25,0.5,0.75,1.0,80,3\n"
            "film,0903,0.25,0.5,0.75,1.0,12,3\nfilm,0904,0.25,0.5,0.75,1.0,12,3\n"
            "film,0905,0.25,0.5,0.75,0.5,12,3\ngone,0902,0.25,0.5,0.75,1.0,12,3\n"
        )
        (lists / "ava_val_excluded_timestamps_v2.2.csv").write_text("film,0903\n")
        (tmp_path / "boxes.csv").write_text("film,0902,0.0,0.0,0.5,0.5,,0.5\n")
        return {
            "dataset": "ava",
            "annotations": lists,
            "detected_boxes": tmp_path / "boxes.csv",
            "split": "val",
            "film_start": 900.0,
            "short_side": 256,
        }

    def test_boxes_make_the_round_trip(self, tmp_path, arguments, write_video):
        videos, out = tmp_path / "videos", tmp_path / "out"
        write_video(videos / "film.mp4", num_frames=35, rate=10)
        assert folders.convert(videos, out, **arguments).num_converted == 1
        told = {(one.status, one.path): one.reason for one in results.read_report(out, "val")}
        assert told.pop(("converted", "film.mp4")) == ""
        assert "beyond the end (3.5 s)" in told.pop(("failed", "film.mp4"))
        assert "row 5 (film,0905,0.25,0.5,0.75,0.5,12,3): the box has no area" in told.pop(
            ("failed", "film")
        )
        assert told == {
            ("skipped", "film"): "the key frame at 903 s: an excluded timestamp",
            ("failed", "gone"): "no such file",
        }
        labels = {one.labels for one in results.read_report(out, "val") if one.num_frames}
        assert labels == {"stand|watch (a person)"}
        shards = manifest.find_shards(out, "val")
        assert shards.label_names == official_labels.read("ava")
        (serialized,) = tf.data.TFRecordDataset(shards.paths).as_numpy_iterator()
        example = records.decode_example(serialized)
        assert example.example_id == "film@902"
        assert example.timestamps_us[example.key_frame.frame_index] == 2_000_000
        assert (len(example.frames), example.key_frame.frame_index) == (30, 15)
        assert example.key_frame.boxes == (
            regions.Box(0.5, 0.25, 1.0, 0.75, (11, 79), ("stand", "watch (a person)"), 1.0, 3),
            regions.Box(0.0, 0.0, 0.5, 0.5, score=0.5),
        )
        settings = manifest.read_manifest(out)["splits"]["val"]["settings"]
        assert (settings["version"], settings["clip_seconds"]) == ("2.2", 3.0)

    def test_other_boxes_into_the_same_folder_are_refused(self, tmp_path, arguments, write_video):
        videos, out = tmp_path / "videos", tmp_path / "out"
        write_video(videos / "film.mp4", num_frames=35, rate=10)
        folders.convert(videos, out, **arguments)
        assert folders.convert(videos, out, **arguments).splits[0].num_kept == 1
        (tmp_path / "boxes.csv").write_text("film,0902,0.0,0.0,0.5,0.75,,0.5\n")
        with pytest.raises(errors.UserError, match="other videos or other labels"):
            folders.convert(videos, out, **arguments)
        with pytest.raises(errors.UserError, match="clip_seconds 3.0 before and 2.0 now"):
            folders.convert(videos, out, **arguments, clip_seconds=2.0)

    def test_small_frames_are_refused(self, tmp_path, arguments):
        arguments["short_side"] = 255
        with pytest.raises(errors.UserError, match="--short_side=255: persons in AVA are small"):
            folders.convert(tmp_path, tmp_path / "out", **arguments)


def test_subset(class_folders, tmp_path):
    folders.convert(class_folders, tmp_path / "out", subset=0.25, subset_seed=3)
    told = [one for one in results.read_report(tmp_path / "out", "train") if one.shard]
    assert sorted(one.labels for one in told) == ["jump high", "run", "run"]
    settings = manifest.read_manifest(tmp_path / "out")["splits"]["train"]["settings"]
    assert (settings["subset"], settings["subset_seed"]) == (0.25, 3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            {"dataset": "flowers"},
            "--dataset=flowers is not one of folder, csv, kinetics, ucf101, hmdb51, ava",
        ),
        ({"dataset": "csv"}, "--dataset=csv needs --annotations=the table"),
        ({"quality": 0}, "--quality=0"),
        ({"quality": 101}, "--quality=101"),
        ({"short_side": 1}, "--short_side=1"),
        ({"fps": 0.0}, "--fps=0.0"),
        ({"min_frames": 0}, "--min_frames=0"),
        ({"workers": 0}, "--workers=0"),
        ({"num_shards": 0}, "--num_shards=0"),
        ({"test_fraction": -1.0}, "--test_fraction=-1.0"),
        ({"subset": 2.0}, "--subset=2.0"),
        ({"fold": 2}, "--fold=2 is for"),
        ({"split": "a/b"}, "--split='a/b'"),
        ({"engine": "spark"}, "--engine=spark is not one of local, beam"),
        ({"engine": "beam", "workers": 2}, "--workers=2 is for --engine=local"),
        ({"beam_flags": ["--runner=X"]}, "--runner=X: what stands behind -- .* --engine=beam"),
    ],
)
def test_mistakes_are_named_before_anything_is_written(class_folders, tmp_path, arguments, words):
    with pytest.raises(errors.UserError, match=words):
        folders.convert(class_folders, tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_output_among_the_videos_or_impossible(class_folders, tmp_path):
    with pytest.raises(errors.UserError, match="would be taken for videos"):
        folders.convert(class_folders, class_folders / "records")
    tf.io.gfile.makedirs("ram://lies/run")
    tf.io.gfile.GFile("ram://lies/run/a.mp4", "w").write("words")
    with pytest.raises(errors.UserError, match="would be taken for videos"):
        folders.convert("ram://lies", "ram://lies/among")
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.UserError, match="file: cannot be written"):
        folders.convert(class_folders, tmp_path / "file")


def test_nothing_converted_leaves_only_the_report(tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_text("words")
    (tmp_path / "videos" / "b.txt").write_text("words")
    with pytest.raises(errors.UserError, match=r"none of the 2 videos .*a.mp4: unreadable"):
        folders.convert(tmp_path / "videos", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["train-videos.csv"]
