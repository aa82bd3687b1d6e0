# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The embedded data set is made once in the user's cache, and made again when it would differ."""

import errno
import functools
import pathlib

import pytest
import tensorflow as tf

from official_cvrl import embedded, errors, manifest, regions
from official_cvrl import records as records_lib
from official_cvrl.data import actors, synthetic
from tests import imports
from tfrecords_tools import convert, plan, scaling, video

# What converting imports and no frame, label, box or order comes from: it reads other data sets,
# looks after processes and files, and tells what became of them.
_OTHER_DATA_SETS = ("csv_file", "hmdb51", "kinetics", "ucf101")
_TOOLS = "beam_engine checksums confinement conversion convert engines official_labels results"
_TOOLS += " sources subsets summary"
_FOUNDATIONS = "amounts commands detection_metrics errors filesystems locks outputs progress"
_FOUNDATIONS += " shard_files spelling stack"
_DO_NOT_DECIDE = {
    *(f"tfrecords_tools.datasets.{name}" for name in _OTHER_DATA_SETS),
    *(f"tfrecords_tools.{name}" for name in _TOOLS.split()),
    *(f"official_cvrl.{name}" for name in _FOUNDATIONS.split()),
}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Makes a few small videos instead of hundreds, and keeps them out of the user's cache."""
    small = {"num_train_per_class": 1, "num_test_per_class": 1, "size": 16, "num_frames": 4}
    write = functools.partial(synthetic.write_videos, **small)
    monkeypatch.setattr(synthetic, "write_videos", write)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "official_cvrl"


def test_it_appears_whole_and_is_made_once(cache, capsys):
    folder = pathlib.Path(embedded.records())
    assert list(cache.iterdir()) == [folder]
    assert "Making the embedded data set" in capsys.readouterr().out
    for split in ("train", "test"):
        found = manifest.find_shards(folder, split)
        assert found.num_examples == 8
        assert found.label_names == synthetic.class_names()
    written = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert embedded.records() == str(folder)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == written
    assert capsys.readouterr().out == ""


def test_films_of_actors_become_records_with_boxes(monkeypatch):
    write = functools.partial(actors.write_films, counts={"train": 2, "test": 1})
    monkeypatch.setattr(actors, "write_films", write)
    folder = embedded.records("actors")
    found = manifest.find_shards(folder, "test")
    assert found.label_names == actors.LABELS
    (record,) = tf.data.TFRecordDataset(list(found.paths)).as_numpy_iterator()
    key_frame = records_lib.decode_example(record).key_frame
    _, drawn = actors.draw_film(seed=(0, 1, 0))
    assert key_frame.frame_index == 16
    for box, (corners, labels) in zip(key_frame.boxes, drawn, strict=True):
        assert (box.xmin, box.ymin, box.xmax, box.ymax) == pytest.approx(corners)
        assert set(box.label_names) == set(labels)


def test_an_unknown_data_set_is_refused():
    with pytest.raises(errors.UserError, match="classes, actors"):
        embedded.records("flowers")


def test_nothing_is_left_of_records_that_could_not_be_finished(cache, monkeypatch):
    def write_half(folder):
        pathlib.Path(folder, "train").mkdir(parents=True)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(synthetic, "write_videos", write_half)
    with pytest.raises(errors.UserError, match=f"{cache}: .*No space left.*XDG_CACHE_HOME"):
        embedded.records()
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("module", [synthetic, video, plan, scaling, records_lib, regions])
def test_other_code_makes_other_records(cache, tmp_path, monkeypatch, module):
    before = embedded.records()
    changed = tmp_path / "changed.py"
    changed.write_text(pathlib.Path(module.__file__).read_text() + "# Another version.\n")
    monkeypatch.setattr(module, "__file__", str(changed))
    after = embedded.records()
    assert sorted(map(str, cache.iterdir())) == sorted([before, after])
    assert before != after


def test_what_conversion_imports_decides_or_is_known_not_to():
    """A new module has to be put into one of both, or a cache of old frames would be taken."""
    decide = {
        module.__name__ for module in embedded._OF_BOTH + embedded._OF_CLASSES + embedded._OF_ACTORS
    }
    found, waiting = set(), {convert.__name__, *decide}
    while waiting - found:
        found |= waiting
        waiting = {
            name
            for module in found
            for name in imports.imported_modules(imports.file_of(module))
            if imports.file_of(name)
        }
    assert found - decide == _DO_NOT_DECIDE


def test_other_defaults_of_conversion_make_other_records(monkeypatch):
    before = embedded.records()
    monkeypatch.setattr(video.Settings.__init__, "__defaults__", (320, 50, None, 2))
    assert video.Settings().quality == 50
    assert embedded.records() != before


@pytest.mark.parametrize("blocked", ["cache", "cache/official_cvrl"])
def test_a_cache_that_cannot_be_written(cache, tmp_path, blocked):
    file = tmp_path / blocked
    file.parent.mkdir(exist_ok=True)
    file.write_text("")
    with pytest.raises(errors.UserError) as caught:
        embedded.records()
    for words in (str(cache), "XDG_CACHE_HOME", "--data_dir=RECORDS"):
        assert words in str(caught.value)
    assert file.read_text() == ""
