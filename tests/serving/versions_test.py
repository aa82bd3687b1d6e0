# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A version appears under the next number, whole or not at all, here and elsewhere."""

import contextlib
import errno
import os
import pathlib

import pytest
import tensorflow as tf

from official_cvrl import errors, filesystems
from official_cvrl.serving import versions

_FILES = ("saved_model.pb", "variables/variables.index", "model_card.md", "assets/labels.txt")


def _write(version):
    for name in _FILES:
        path = pathlib.Path(version.model, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def _names(folder):
    return sorted(path.name for path in filesystems.openable_path(folder).iterdir())


@pytest.fixture(params=["here", "file://", "ram://"], name="output")
def _output(request, tmp_path):
    """A folder that is not there yet, whatever file system it is of."""
    if request.param == "ram://":
        return f"ram://{tmp_path.name}/served"
    return f"{request.param.removeprefix('here')}{tmp_path}/served"


def test_versions_are_counted_and_whole(output):
    for number, expected in ((0, "1"), (7, "7"), (0, "8")):
        with versions.new(output, number=number) as version:
            _write(version)
            assert expected not in _names(output)
        assert os.path.basename(version.target) == expected
        place = filesystems.openable_path(version.target)
        assert {name: (place / name).read_text() for name in _FILES} == {n: n for n in _FILES}
    assert _names(output) == ["1", "7", "8"]
    assert not os.path.exists(version.scratch)


def test_a_number_is_given_once(output):
    for _ in range(2):
        with versions.new(output) as version:
            _write(version)
    message = r"version 1 already.*none for version 3"
    with pytest.raises(errors.UserError, match=message), versions.new(output, number=1):
        pytest.fail("the work begins")
    assert _names(output) == ["1", "2"]


@pytest.mark.parametrize("fault", [KeyError, KeyboardInterrupt, errors.UserError])
def test_what_breaks_off_leaves_nothing(output, fault):
    with pytest.raises(fault), versions.new(output) as version:
        _write(version)
        raise fault
    assert _names(output) == []
    assert not os.path.exists(version.scratch)


def test_what_a_killed_export_left_is_removed_and_what_lives_is_not(tmp_path):
    (tmp_path / ".writing-dead" / "model").mkdir(parents=True)
    with versions.new(str(tmp_path)) as living:
        assert not (tmp_path / ".writing-dead").exists()
        _write(living)
        with versions.new(str(tmp_path), number=2) as version:
            _write(version)
        assert os.path.exists(living.model)
    assert _names(tmp_path) == ["1", "2"]


@pytest.mark.parametrize(
    "fault", [tf.errors.PermissionDeniedError(None, None, "no bucket"), KeyboardInterrupt()]
)
def test_a_copy_ends_with_the_graph_or_is_removed(tmp_path, monkeypatch, fault):
    output, copied, copy = f"ram://{tmp_path.name}", [], tf.io.gfile.copy

    def copy_all_but_the_last(source, target):
        copied.append(target.removeprefix(f"{output}/1/"))
        if len(copied) == len(_FILES):
            claim, *others = _names(f"{output}/1")
            assert claim.startswith(".claim-")
            assert others == ["assets", "model_card.md", "variables"]
            raise fault
        copy(source, target)

    monkeypatch.setattr(tf.io.gfile, "copy", copy_all_but_the_last)
    message = f"'{output}' cannot be written: no bucket. Give --output"
    expected = errors.UserError if isinstance(fault, tf.errors.OpError) else KeyboardInterrupt
    with pytest.raises(expected) as caught, versions.new(output) as version:
        _write(version)
    assert str(caught.value).startswith(message if expected is errors.UserError else "")
    assert (set(copied), copied[-1]) == (set(_FILES), "saved_model.pb")
    assert _names(output) == []


def _contents(folder):
    place = filesystems.openable_path(folder)
    return {name: (place / name).read_text() for name in _FILES}


def test_of_two_that_write_one_number_elsewhere_the_first_stays_whole(tmp_path):
    output = f"ram://{tmp_path.name}"
    message = f"{output}/1' was taken by another export"
    with pytest.raises(errors.TryAgain, match=message), versions.new(output) as slow:
        _write(slow)
        pathlib.Path(slow.model, "model_card.md").write_text("slow")
        with versions.new(output) as fast:
            _write(fast)
        assert fast.target == slow.target
    assert _names(output) == ["1"]
    assert _names(f"{output}/1") == ["assets", "model_card.md", "saved_model.pb", "variables"]
    assert _contents(f"{output}/1") == {name: name for name in _FILES}


@pytest.mark.parametrize("when", range(len(_FILES)))
def test_one_that_comes_in_the_middle_of_a_copy_gives_way(tmp_path, monkeypatch, when):
    output, copy, copied = f"ram://{tmp_path.name}", tf.io.gfile.copy, []
    late = contextlib.ExitStack()

    def copy_while_another_ends(source, target):
        if len(copied) == when:
            with pytest.raises(errors.TryAgain, match="taken by another export"):
                late.close()
        copied.append(target)
        copy(source, target)

    _write(late.enter_context(versions.new(output)))
    monkeypatch.setattr(tf.io.gfile, "copy", copy_while_another_ends)
    with versions.new(output) as version:
        _write(version)
    assert len(copied) == len(_FILES)
    assert _contents(f"{output}/1") == {name: name for name in _FILES}


@pytest.mark.parametrize(
    ("output", "way_out"), [("PLACE", "Give --output=DIR"), ("ram://x", "Set TMPDIR to a folder")]
)
def test_a_disk_that_is_full_meanwhile_is_named_with_what_chooses_it(tmp_path, output, way_out):
    with versions.new(output.replace("PLACE", str(tmp_path))) as version:
        _write(version)
        message = f"'{version.scratch}' cannot be written: .*No space left. {way_out}"
        with pytest.raises(errors.UserError, match=message), version.writable():
            raise OSError(errno.ENOSPC, "No space left")


def test_no_room_for_what_is_needed_meanwhile(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    message = "of temporary files cannot be written: .*No such file.* Set TMPDIR to a folder"
    with pytest.raises(errors.UserError, match=message), versions.new(f"ram://{tmp_path.name}"):
        pytest.fail("the work begins")


def test_what_cannot_be_opened_is_no_folder_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    for output, message in (
        ("s4://bucket/a", "cannot open s4:// paths; use a local folder"),
        ("file", "^'file' is a file. Give --output=DIR, a folder that you may"),
        ("file/a", "'file/a' cannot be written: .*Not a directory.* Give --output=DIR"),
    ):
        with pytest.raises(errors.UserError, match=message), versions.new(output):
            pytest.fail("the work begins")
    assert os.listdir(tmp_path) == ["file"]
