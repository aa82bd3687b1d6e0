# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Output files: refused before the work, whole or as they were."""

import os

import pytest
import tensorflow as tf

from official_cvrl import errors, filesystems, outputs


@pytest.mark.parametrize("place", ["", "nothing/a.npz", "file/a.npz"])
def test_an_output_that_cannot_be_written_is_refused(tmp_path, place):
    (tmp_path / "file").write_text("")
    target = str(tmp_path / place)
    with pytest.raises(errors.UserError) as caught:
        outputs.refuse_unwritable(target)
    assert target in str(caught.value)
    assert "--output=FILE" in str(caught.value)
    with pytest.raises(errors.UserError, match=r"Give Detection\.predictions=FILE"):
        outputs.refuse_unwritable(target, setting="Detection.predictions")
    assert os.listdir(tmp_path) == ["file"]


def test_a_good_place_is_left_as_it_was(tmp_path):
    outputs.refuse_unwritable(str(tmp_path / "a.npz"))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("fault", [OSError(28, "No space left"), KeyboardInterrupt()])
def test_a_file_that_breaks_off_is_not_there(tmp_path, fault):
    path = tmp_path / "a.npz"
    path.write_text("before")
    expected = errors.UserError if isinstance(fault, OSError) else KeyboardInterrupt
    with pytest.raises(expected), outputs.whole_file(str(path)) as file:
        file.write(b"half")
        raise fault
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["a.npz"]


def test_two_writers_of_one_output_do_not_mix(tmp_path):
    path = tmp_path / "a.csv"
    with outputs.whole_file(str(path)) as slow, outputs.whole_file(str(path)) as fast:
        slow.write(b"slow")
        fast.write(b"fast, and longer")
    assert path.read_text() == "slow"
    assert os.listdir(tmp_path) == ["a.csv"]


def test_a_file_that_ends_well_takes_the_place(tmp_path):
    path = tmp_path / "a.html"
    path.write_text("before")
    with outputs.whole_file(str(path)) as file:
        file.write(b"after")
        assert path.read_text() == "before"
    assert path.read_text() == "after"


@pytest.mark.parametrize(
    ("named", "way_out"),
    [
        ({}, "--output=FILE.npz"),
        ({"setting": "Detection.predictions"}, "Detection.predictions=FILE.npz"),
        ({"setting": "--index=TABLE"}, "--index=TABLE"),
    ],
)
def test_a_file_that_breaks_off_is_told_with_what_names_it(tmp_path, named, way_out):
    path = str(tmp_path / "a.npz")
    message = rf"{path}' cannot be written: No space left. Give {way_out} in a folder that is"
    with pytest.raises(errors.UserError, match=message), outputs.whole_file(path, **named):
        raise OSError(28, "No space left")


def test_partial_files_tell_whose_they_are(tmp_path):
    shard = tmp_path / "train-00000-of-00001"
    paths = {outputs.partial_path(shard, attempt=attempt) for attempt in ("", "a", "b")}
    assert len(paths) == 3
    assert {outputs.whose_partial(path.name) for path in paths} == {shard.name}
    assert outputs.whose_partial(shard.name) == outputs.whose_partial(".a.tmp") == ""


@pytest.mark.parametrize("folder", ["", "ram://whole"])
def test_text_is_there_whole_or_as_it_was_here_and_remote(tmp_path, folder):
    place = filesystems.openable_path(folder or tmp_path)
    place.mkdir(parents=True, exist_ok=True)
    outputs.write_text(place / "a.json", "grün")
    with pytest.raises(KeyboardInterrupt), outputs.whole(place / "a.json") as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert (place / "a.json").read_bytes() == "grün".encode()
    assert [path.name for path in place.iterdir()] == ["a.json"]


def test_a_remote_file_system_at_fault_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # No file can be called so, and TensorFlow is who says it.
    with pytest.raises(errors.UserError, match="^ram:// cannot be written: .*; go away[.]$"):
        outputs.save_text("ram://", "", way_out="go away")
    assert os.listdir() == []
    error = tf.errors.ResourceExhaustedError(None, None, "no room")
    for path, told in (("ram://a.csv", errors.UserError), ("a.csv", type(error))):
        with pytest.raises(told, match="no room"), outputs.whole_file(path):
            raise error
