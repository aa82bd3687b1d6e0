# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Intervals follow equation 2, and a clip is augmented frame by frame or as one."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from official_cvrl import errors
from official_cvrl.report import runs, view_figures, views_made
from tests.report import conftest

_SETTINGS = """
AUGMENTATION = @augment.Augmentation()
augment.Augmentation.flip_probability = 0.5
augment.Augmentation.jitter_probability = 0.0
augment.Augmentation.grey_probability = 0.0
augment.Augmentation.blur_probabilities = (0.0, 0.0)
augment.Augmentation.solarize_probabilities = (0.0, 0.0)
pretrain.Pretraining.augmentation = %AUGMENTATION
pipeline.two_view_batches.num_frames = 4
pipeline.two_view_batches.temporal_stride = 1
pipeline.two_view_batches.crop_size = 16
pipeline.two_view_batches.trend = 'uniform'
"""


@pytest.mark.parametrize(
    ("trend", "power"),
    [("decreasing", 1.0), ("decreasing", 3.0), ("uniform", 1.0), ("increasing", 2.0)],
)
def test_draws_lie_where_the_integral_says(trend, power):
    found = views_made.intervals(50, trend=trend, power=power)
    assert (found.edges[0], found.edges[-1]) == (0, 50)
    assert found.measured.sum() == pytest.approx(1)
    assert found.expected.sum() == pytest.approx(1)
    # By hand, in steps far smaller than a frame.
    share = (np.arange(50_000) + 0.5) / 50_000
    density = {"decreasing": 1 - share**power, "uniform": share**0, "increasing": share**power}
    parts, _ = np.histogram(share * 50, found.edges, weights=density[trend] / density[trend].sum())
    np.testing.assert_allclose(found.expected, parts, atol=1e-4)
    spread = np.sqrt(parts * (1 - parts) / 4000)
    assert (np.abs(found.measured - parts) < 5 * spread + 1e-9).all()


def _read(folder, settings, **records):
    data_dir = conftest.write_records(folder / "records", **records)
    run = conftest.write_run(
        folder / "run", data_dir=data_dir, config=conftest.PRETRAINING + settings
    )
    return views_made.read(runs.read(run))


def _frames(strip):
    jpeg, count = strip
    sheet = np.asarray(Image.open(io.BytesIO(jpeg)), np.float32)
    return np.split(sheet, count, axis=1)


def test_a_draw_a_clip_keeps_motion_and_a_draw_a_frame_does_not(tmp_path):
    still = "augment.Augmentation.area_range = (0.3, 0.4)\n"
    found = _read(tmp_path, _SETTINGS + still)
    assert found.name == "train/0.mp4"
    assert list(found.strips) == ["raw", "a draw a frame", "a draw a clip"]

    def change(name):
        frames = _frames(found.strips[name])
        assert len(frames) == 4
        return np.mean([np.abs(b - a).mean() for a, b in zip(frames, frames[1:], strict=False)])

    # Another place and size each time changes a frame more than the camera's step of a pixel does.
    assert change("a draw a frame") > 1.5 * change("a draw a clip")
    # Six frames are three places for a clip of four.
    assert (found.intervals.num_positions, found.intervals.trend) == (3, "uniform")
    section = view_figures.section(found)
    assert section.count("<img") == 3
    assert "(uniform) of a video with 3 places" in section
    assert len(re.findall("<rect", section)) == 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("pipeline.two_view_batches.crop_size = 16", ""), "does not say pipeline.*crop_size"),
        (("@augment.Augmentation()", "@mine.gentle()"), "its augmentation is @mine.gentle"),
    ],
)
def test_settings_that_do_not_say_it(tmp_path, change, words):
    with pytest.raises(errors.UserError, match=words):
        _read(tmp_path, _SETTINGS.replace(*change))


def test_both_clips_at_one_place_have_no_interval(tmp_path):
    together = "pipeline.two_view_batches.temporal_augmentation = False\n"
    assert _read(tmp_path, _SETTINGS + together).intervals is None
