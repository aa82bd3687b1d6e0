# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of official_cvrl.filesystems."""

import pytest

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


def test_only_local_paths_are_made_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert filesystems.absolute("runs/x") == str(tmp_path / "runs" / "x")
    assert filesystems.absolute("gs://bucket/x") == "gs://bucket/x"
