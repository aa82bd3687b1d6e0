# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of official_cvrl.filesystems."""

import os

import pytest
import tensorflow as tf

from official_cvrl import errors, filesystems


@pytest.mark.parametrize(
    ("path", "scheme"),
    [("gs://bucket/a", "gs"), ("S3://bucket/a", "s3"), ("/a/b", ""), ("a:b", ""), ("a//b", "")],
)
def test_scheme(path, scheme):
    assert filesystems.scheme(path) == scheme


def test_local_paths_read_and_write(tmp_path):
    path = filesystems.openable_path(tmp_path) / "a.txt"
    path.write_text("words")
    assert (tmp_path / "a.txt").read_text() == "words"
    assert filesystems.openable_path(f"file://{tmp_path}/a.txt").read_text() == "words"


def test_unknown_scheme_is_refused_with_a_way_out():
    with pytest.raises(errors.UserError, match="(?s)ftp2://host/a.*cannot open ftp2://.*gs://"):
        filesystems.openable_path("ftp2://host/a")


def test_what_has_to_be_local_is_asked_for_by_its_option():
    filesystems.refuse_remote("runs/x", option="--model_dir")
    with pytest.raises(errors.UserError, match="^--model_dir=gs://b/x must .* copy it to or"):
        filesystems.refuse_remote("gs://b/x", option="--model_dir")


def test_only_local_paths_are_made_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert filesystems.absolute("runs/x") == str(tmp_path / "runs" / "x")
    assert filesystems.absolute("gs://bucket/x") == "gs://bucket/x"


class TestRemote:
    """ram:// is TensorFlow's like gs://, and no more known to epath than hdfs://."""

    def test_reads_writes_renames_and_removes(self):
        folder = filesystems.openable_path("ram://files/a")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "b.txt").write_text("words")
        (folder / "b.txt").replace(folder / "c.txt")
        assert [os.fspath(path) for path in folder.iterdir()] == ["ram://files/a/c.txt"]
        assert (folder / "c.txt").read_text() == "words"
        assert filesystems.num_bytes("ram://files/a/c.txt") == 5
        (folder / "c.txt").unlink()
        assert not (folder / "c.txt").exists()
        assert filesystems.num_bytes("ram://files/a/c.txt") == -1

    def test_paths_below_are_relative_to_it(self):
        folder = filesystems.openable_path("ram://tree")
        below = (folder / "a" / "b.txt").relative_to(folder)
        assert below.as_posix() == "a/b.txt"
        assert below.parts[0] == "a"
        assert os.fspath((folder / "a" / "b.txt").parent) == "ram://tree/a"

    def test_walk_leaves_out_what_the_caller_takes_out(self, tmp_path):
        found = []
        for root in ("ram://walked", os.fspath(tmp_path)):
            for name in ("a/b.txt", "hidden/c.txt", "d.txt"):
                path = filesystems.openable_path(root) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("")
            for folder, folders, names in filesystems.walk(root):
                folders[:] = [name for name in folders if name != "hidden"]
                found.append((folder.removeprefix(root), sorted(folders), sorted(names)))
        assert found == 2 * [("", ["a"], ["d.txt"]), ("/a", [], ["b.txt"])]

    def test_what_a_library_reads_is_a_path_here_and_a_file_elsewhere(self):
        assert filesystems.readable_file("/a/b") == "/a/b"
        filesystems.openable_path("ram://b.txt").write_text("words")
        assert filesystems.readable_file("ram://b.txt").read() == b"words"


@pytest.mark.parametrize(
    ("error", "expected"),
    [(FileNotFoundError(), True), (tf.errors.NotFoundError(None, None, ""), True), (KeyError(), 0)],
)
def test_is_fault(error, expected):
    assert filesystems.is_fault(error) == expected
