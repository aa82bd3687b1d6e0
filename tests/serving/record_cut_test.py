# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""How records were cut, by their manifest, or that it does not say."""

import dataclasses

import pytest

from official_cvrl import errors, manifest
from official_cvrl.serving import record_cut
from tfrecords_tools import video

_SETTINGS = {"clip_seconds": 2.0, "dataset": "boxes", **dataclasses.asdict(video.Settings(fps=5.0))}


def _write(folder, **splits):
    for split, settings in splits.items():
        manifest.write_split(folder, split=split, entry={"settings": settings})
    return str(folder)


def test_splits_that_were_cut_alike(tmp_path):
    data_dir = _write(tmp_path, train={**_SETTINGS, "videos": 1}, test={**_SETTINGS, "videos": 2})
    assert record_cut.of(data_dir) == record_cut.Cut(2.0, video.Settings(fps=5.0))


@pytest.mark.parametrize(
    ("splits", "words"),
    [
        ({}, "no word of it"),
        ({"train": {}}, "no word of it"),
        ({"train": {**_SETTINGS, "quality": "good"}}, "no word of it"),
        ({"train": _SETTINGS, "test": {**_SETTINGS, "fps": None}}, "unlike each other"),
    ],
)
def test_records_that_do_not_say(tmp_path, splits, words):
    with pytest.raises(errors.UserError, match=words):
        record_cut.of(_write(tmp_path, **splits))
    with pytest.raises(errors.UserError, match="no word of it"):
        record_cut.of(str(tmp_path / "gone"))
