# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The matrix is drawn as it was counted, with whose it is and which classes are hardest."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from official_cvrl import predictions
from official_cvrl.report import confusions, runs
from tests.report import conftest


def _write(folder, counts, names=None):
    names = names or [f"class {number}" for number in range(len(counts))]
    labels = np.repeat(np.arange(len(counts)), np.sum(counts, axis=1))
    said = [column for row in counts for column, count in enumerate(row) for _ in range(count)]
    probabilities = np.eye(len(counts), dtype=np.float32)[said]
    predictions.write(
        str(folder), predictions.Predictions(["x"] * len(labels), labels, probabilities, names)
    )


def _section(folder, name):
    run = runs.read(folder / name)
    return confusions.section(run, runs.family(run))


@pytest.fixture(name="folder")
def _folder(tmp_path):
    conftest.write_run(tmp_path / "pretrain", data_dir=tmp_path)
    config = conftest.LINEAR.format(pretrained="pretrain")
    conftest.write_run(tmp_path / "linear", data_dir=tmp_path, config=config)
    return tmp_path


def _pixels(section):
    (uri,) = re.findall(r'href="data:image/png;base64,([^"]*)"', section)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri))))


def test_a_cell_is_as_dark_as_its_part_of_the_row_and_green_where_right(folder):
    _write(folder / "linear", [[3, 1], [0, 2]], ["<left>", "right"])
    section = _section(folder, "linear")
    pixels = _pixels(section)
    assert (pixels[0, 0, :3] == pixels[1, 1, :3]).all()
    assert (pixels[0, 0, :3] != pixels[0, 1, :3]).any()
    assert pixels[..., 3].tolist() == [[40 + int(215 * 0.75), 40 + int(215 * 0.25)], [0, 255]]
    assert re.findall(r'class="count">(\d+)<', section) == ["3", "1", "2"]
    assert re.findall(r"<td>(.*?)</td>", section) == [
        "75.0%\xa0of\xa04",
        "right\xa0(1)",
        "100.0%\xa0of\xa02",
        "–",
    ]
    assert "&lt;left&gt;" in section and "<left>" not in section


def test_of_many_classes_the_hardest_are_named_and_cells_stay_pixels(folder):
    counts = np.eye(50, dtype=int) * 2
    counts[7, [7, 9]] = 0, 2
    counts[8] = 0
    _write(folder / "linear", counts.tolist())
    section = _section(folder, "linear")
    assert _pixels(section).shape == (50, 50, 4)
    assert "count" not in section
    rows = re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td><td>(.*?)</td>', section)
    assert rows[0] == ("class 7", "0.0%\xa0of\xa02", "class 9\xa0(2)")
    assert len(rows) == 8
    assert "class 8" not in [name for name, *_ in rows]


def test_a_pretraining_shows_what_evaluates_it_and_nothing_shows_nothing(folder):
    assert _section(folder, "pretrain") == ""
    _write(folder / "linear", [[1]])
    assert "Test videos of linear by their class" in _section(folder, "pretrain")
    assert "Test videos by their class" in _section(folder, "linear")
    (folder / "linear" / "results.json").write_text('{"step": 30, "top1": 1.0}')
    conftest.write_weights(folder / "linear", step=40)
    assert "Test videos at step 30 by their class" in _section(folder, "linear")
    assert _section(folder, "pretrain") == ""
    (folder / "linear" / "confusion.csv").write_text("broken")
    assert 'class="missing">Not on this page: ' in _section(folder, "linear")
