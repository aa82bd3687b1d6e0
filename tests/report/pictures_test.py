# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Film strips hold the right frames in order."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from official_cvrl.report import pictures


def _opened(jpeg):
    return np.asarray(Image.open(io.BytesIO(jpeg)), np.int32)


def _png(array):
    encoded = io.BytesIO()
    Image.fromarray(np.asarray(array, np.uint8)).save(encoded, "PNG")
    return encoded.getvalue()


def _grey(level, height, width):
    return np.full([height, width, 3], level)


def test_strip_takes_the_square_middle():
    frame = np.concatenate([_grey(0, 16, 8), _grey(200, 16, 16), _grey(0, 16, 8)], axis=1)
    frames = [Image.fromarray(np.uint8(frame)), Image.fromarray(np.uint8(_grey(90, 16, 32)))]
    found = _opened(pictures.strip(frames))
    assert found.shape == (16, 32, 3)
    np.testing.assert_allclose(found[:, :16], 200, atol=4)
    np.testing.assert_allclose(found[:, 16:], 90, atol=4)


def test_large_frames_are_made_smaller():
    frame = Image.fromarray(np.uint8(_grey(120, 240, 320)))
    found = _opened(pictures.strip([frame]))
    assert found.shape == (128, 128, 3)
    np.testing.assert_allclose(found, 120, atol=3)


def test_rows_are_taken_apart_and_long_clips_thinned():
    levels = np.arange(16) * 10
    rows = [np.concatenate([_grey(level + add, 8, 8) for level in levels], 1) for add in (0, 100)]
    found = pictures.split_rows(_png(np.concatenate(rows)), num_rows=2)
    assert [count for _, count in found] == [8, 8]
    for (jpeg, _), add in zip(found, (0, 100), strict=True):
        expected = levels[[0, 2, 4, 6, 9, 11, 13, 15]] + add
        for line in (1, 6):
            np.testing.assert_allclose(_opened(jpeg)[line, 4::8, 0], expected, atol=3)


@pytest.mark.parametrize(
    ("count", "most", "expected"),
    [(3, 8, [0, 1, 2]), (8, 3, [0, 4, 7]), (100, 2, [0, 99]), (0, 4, [])],
)
def test_spread(count, most, expected):
    assert list(pictures.spread(count, most)) == expected


def test_data_uri():
    jpeg = pictures.strip([Image.new("RGB", (8, 8))])
    head, _, content = pictures.data_uri(jpeg).partition(",")
    assert head == "data:image/jpeg;base64"
    assert base64.b64decode(content) == jpeg
