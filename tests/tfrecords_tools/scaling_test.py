# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of tfrecords_tools.scaling: known light in, known colours out."""

import fractions
import itertools

import av
import numpy as np
import pytest

from tfrecords_tools import scaling

# Weights of red and blue in luma, and libav's number of the matrix.
_BT601, _BT709, _BT2020 = (0.299, 0.114, 6), (0.2126, 0.0722, 1), (0.2627, 0.0593, 9)
_UNSPECIFIED = 2
_LIMITED, _FULL = 1, 2
_PQ, _HLG = 16, 18


def _frame(rgb, *, matrix, pixels="yuv420p", full=False, named=True):
    """Returns a frame of RGB values `[height, width, 3]` in [0, 1], by the standards' formulas."""
    red, blue, number = matrix
    luma = rgb @ np.array([red, 1 - red - blue, blue])
    chroma = [
        (rgb[..., 2] - luma) / (2 - 2 * blue),
        (rgb[..., 0] - luma) / (2 - 2 * red),
    ]
    depth = 10 if "10" in pixels else 8
    top = (1 << depth) - 1
    unit = 1 << (depth - 8)
    planes = [luma * top if full else unit * (16 + 219 * luma)]
    planes += [128 * unit + one * (top if full else 224 * unit) for one in chroma]
    if "420" in pixels:
        planes[1:] = [plane[::2, ::2] for plane in planes[1:]]
    height, width = luma.shape
    frame = av.VideoFrame(width, height, pixels)
    kind = np.uint8 if depth == 8 else np.dtype("<u2")
    for plane, values in zip(frame.planes, planes, strict=True):
        rows = np.zeros((plane.height, plane.line_size // np.dtype(kind).itemsize), kind)
        rows[:, : plane.width] = np.clip(np.rint(values), 0, top)
        plane.update(rows)
    frame.color_range = _FULL if full else _LIMITED
    frame.colorspace = number if named else _UNSPECIFIED
    return frame


def _patch(*rgb, size=(64, 32)):
    return np.broadcast_to(np.array(rgb, float) / 255, (size[1], size[0], 3))


def _rgb(frame, *, short_side=320):
    scaler = scaling.Scaler(pixel_aspect=None, short_side=short_side)
    picture = scaler.picture(frame).astype(int)
    assert picture.shape == (scaler.height, scaler.width, 3)
    return picture[scaler.height // 2, scaler.width // 2, ::-1]


_COLOURS = [(200, 40, 60), (30, 180, 90), (10, 10, 10), (245, 245, 245), (128, 128, 128)]


@pytest.mark.parametrize("short_side", [320, 16])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv444p", "yuv420p10le", "yuv444p10le"])
@pytest.mark.parametrize("matrix", [_BT601, _BT709])
def test_colours_are_those_that_were_filmed(matrix, pixels, full, short_side):
    for colour in _COLOURS:
        frame = _frame(_patch(*colour), matrix=matrix, pixels=pixels, full=full)
        np.testing.assert_allclose(_rgb(frame, short_side=short_side), colour, atol=3)


@pytest.mark.parametrize(
    ("size", "matrix"), [((720, 576), _BT601), ((1280, 64), _BT709), ((64, 720), _BT709)]
)
def test_a_file_that_names_no_matrix_is_taken_for_what_players_take_it(size, matrix):
    frame = _frame(_patch(200, 40, 60, size=size), matrix=matrix, named=False)
    np.testing.assert_allclose(_rgb(frame), (200, 40, 60), atol=3)


def _pq(nits):
    """Returns what SMPTE ST 2084 makes of light."""
    power = (np.asarray(nits) / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def _hlg(light):
    """Returns what ARIB STD-B67 makes of light in [0, 1]."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    log = a * np.log(np.maximum(12 * light - b, 1e-9)) + c
    return np.where(light <= 1 / 12, np.sqrt(3 * light), log)


@pytest.mark.parametrize(
    ("transfer", "light", "curve"),
    [
        (_PQ, [0, 1, 10, 100, 203, 400, 1000], _pq),
        (_HLG, [0, 0.003, 0.02, 0.1, 0.265, 0.5, 1], _hlg),
    ],
)
def test_hdr_becomes_what_a_player_shows_on_a_common_screen(transfer, light, curve):
    greys = np.repeat(curve(np.array(light, float)), 16)
    rgb = np.broadcast_to(greys[None, :, None], (32, len(greys), 3))
    frame = _frame(rgb, matrix=_BT2020, pixels="yuv420p10le")
    frame.color_trc, frame.color_primaries = transfer, 9
    scaler = scaling.Scaler(pixel_aspect=None, short_side=16)
    shown = [scaler.picture(frame)[8, 4 + 8 * n].astype(int) for n in range(len(light))]
    for grey in shown:
        assert np.ptp(grey) <= 2
    values = [int(grey[1]) for grey in shown]
    assert all(after > before + 5 for before, after in itertools.pairwise(values))
    assert values[0] < 4
    # White paper (203 nits, or 0.265) is bright, and highlights still stand out from it. Without
    # tone mapping paper would be at 146 and 189 beside blacks of 37 and 42.
    assert values[1] < 32
    assert 150 <= values[4] <= 200
    assert values[-1] >= 200


def test_the_size_is_that_of_the_first_upright_frame_with_square_pixels():
    frame = _frame(_patch(128, 128, 128, size=(96, 64)), matrix=_BT601)
    scaler = scaling.Scaler(pixel_aspect=fractions.Fraction(1, 2), short_side=32)
    assert scaler.picture(frame).shape == (43, 32, 3)
    assert scaler.picture(_frame(_patch(1, 1, 1), matrix=_BT601)).shape == (43, 32, 3)
    for nonsense in (fractions.Fraction(0), fractions.Fraction(1, 100), fractions.Fraction(99)):
        scaler = scaling.Scaler(pixel_aspect=nonsense, short_side=32)
        assert scaler.picture(frame).shape == (32, 48, 3)
