# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Which curves and pictures are shown."""

import base64
import io
import os
import re

from PIL import Image

from official_cvrl.report import events, facts, figures, runs
from tests.report import conftest


def _curves(model_dir):
    run = runs.read(model_dir)
    parts = [events.read(os.path.join(run.model_dir, part)) for part in ("train", "eval")]
    return figures.curves(run, *parts, facts.read_data([run]))


def _charts(section):
    """Returns (class, title) of each chart."""
    return re.findall(r'<figure class="chart (\w+)"><h3><span>([^<]*)', section)


def test_curves_in_order(demo):
    section = _curves(demo / "pretrain")
    assert _charts(section) == [
        ("train", "Contrastive loss"),
        ("train", "Contrastive accuracy"),
        ("test", "kNN top-1"),
        ("train", "Entropy"),
        ("train", "Regularisation loss"),
    ]
    assert re.findall(r">a guess: ([^<]*)<", section) == ["12.5%", "50.0%", "2.079"]
    assert "<output>step 30 <b>50.0%</b></output>" in section


def test_a_classifiers_training_and_testing_share_a_drawing(tmp_path):
    run = conftest.write_run(tmp_path / "run", data_dir=tmp_path, config=conftest.LINEAR)
    conftest.write_events(tmp_path / "run" / "train", {"accuracy": {10: 0.25, 20: 0.5}})
    conftest.write_events(tmp_path / "run" / "eval", {"top1": {10: 0.5, 20: 0.75}})
    section = _curves(run)
    assert _charts(section) == [("test", "Top-1 in training and testing")]
    assert re.findall(r'class="(line [^"]*)"', section) == ["line train dashed", "line test"]
    assert r"training 50.0% \u00b7 test 75.0%" in section


def test_what_says_nothing_is_left_out(tmp_path):
    run = conftest.write_run(tmp_path / "run", data_dir=tmp_path, config=conftest.LINEAR)
    steps = {10: 1.0, 20: 0.5}
    zero, once = {10: 0.0, 20: 0.0}, {20: 1.0}
    curves = {"loss": steps, "my_measure": steps, "regularization_loss": zero, "top1": once}
    conftest.write_events(tmp_path / "run" / "train", curves)
    assert _charts(_curves(run)) == [("train", "Loss"), ("train", "my measure")]


def test_a_run_without_events(tmp_path):
    run = conftest.write_run(tmp_path / "run", data_dir=tmp_path)
    assert "nothing was written down" in _curves(run)
    conftest.write_events(tmp_path / "run" / "train", {"accuracy": {6: 0.5}})
    assert "There are none: a curve needs two points" in _curves(run)
    assert "nothing but zero was written down twice up to step 6" in _curves(run)


def _png(height, width):
    encoded = io.BytesIO()
    Image.new("RGB", (width, height)).save(encoded, "PNG")
    return encoded.getvalue()


def _sizes(section):
    """Returns what is said of each picture → its width and height."""
    found = re.findall(r'data:image/jpeg;base64,([^"]*)" alt="([^"]*)"', section)
    return {
        spoken: Image.open(io.BytesIO(base64.b64decode(content))).size for content, spoken in found
    }


def test_view_pairs_are_two_strips_each():
    train = events.Events({}, {"view_pairs": (_png(32, 64), _png(32, 64))}, 0.0, 0.0)
    section = figures.clips(train)
    assert _sizes(section) == {
        f"Video {video}, view {view}": (64, 16) for video in (1, 2) for view in (1, 2)
    }
    assert section.count('style="--n:4"') == 4
    assert "two views" in section


def test_clips_are_one_strip_each():
    train = events.Events({}, {"clips": (_png(16, 320),)}, 0.0, 0.0)
    assert _sizes(figures.clips(train)) == {"Video 1, clip": (128, 16)}
    assert figures.clips(events.Events({}, {}, 0.0, 0.0)) == ""
