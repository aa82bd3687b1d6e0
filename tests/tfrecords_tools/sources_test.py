# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of tfrecords_tools.sources."""

import pytest

from official_cvrl import errors
from tfrecords_tools import sources


def _read(dataset, tmp_path, *, split=None, **options):
    return sources.read(
        dataset, videos=tmp_path, table=tmp_path / "list.csv", split=split, options=options
    )


def test_options_that_are_not_given_do_not_matter(tmp_path, touch):
    touch(tmp_path, "a.mp4")
    (tmp_path / "list.csv").write_text("path\na.mp4\n")
    assert len(_read("csv", tmp_path, fold=None, version=None).splits["train"].clips) == 1


@pytest.mark.parametrize(
    ("dataset", "options", "words"),
    [
        ("csv", {"fold": 1}, "--fold=1 is for --dataset=ucf101 or hmdb51, not csv"),
        ("hmdb51", {"version": "400"}, "--version=400 is for --dataset=kinetics or ava"),
        ("kinetics", {"detected_boxes": "b"}, "--detected_boxes=b is for --dataset=ava"),
        ("folder", {"clip_seconds": 3.0}, "--clip_seconds=3.0 is for --dataset=ava"),
        ("folder", {"film_start": 0.0}, "--film_start=0.0 is for --dataset=ava"),
        ("hmdb51", {"fold": 4}, "--fold=4 is none of the official splits"),
        ("ucf101", {"fold": 0}, "--fold=0 is none of the official splits"),
    ],
)
def test_options_of_other_data_sets_are_refused(tmp_path, dataset, options, words):
    with pytest.raises(errors.UserError, match=words):
        _read(dataset, tmp_path, **options)


@pytest.mark.parametrize("dataset", ["csv", "kinetics", "ucf101", "hmdb51", "ava"])
def test_annotations_are_needed(tmp_path, dataset):
    with pytest.raises(errors.UserError, match=f"--dataset={dataset} needs --annotations=the "):
        sources.read(dataset, videos=tmp_path, table=None, split=None, options={})
