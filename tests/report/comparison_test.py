# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Several runs on one page: whose curve is whose, and what their settings differ in."""

import json
import os
import re

import pytest

from official_cvrl import errors
from official_cvrl.report import comparison, facts, page
from tests.report import browsers, conftest


def _run(folder, losses, *, batch=8, **scalars):
    config = conftest.PRETRAINING.replace("BATCH = 8", f"BATCH = {batch}")
    conftest.write_run(folder, data_dir="/data", config=config, results={"knn_top1": 0.5})
    conftest.write_events(folder / "train", {"contrastive_loss": losses, **scalars})
    return str(folder)


def test_one_drawing_of_what_two_wrote_and_each_in_its_colour(tmp_path):
    one = _run(tmp_path / "x" / "run", {10: 3.0, 20: 2.0}, entropy={10: 1.0, 20: 0.5})
    two = _run(tmp_path / "y" / "run", {10: 3.5, 20: 2.5, 30: 1.5})
    members = comparison.read([one, two])
    assert [member.name for member in members] == ["x/run", "y/run"]
    section = comparison.curves(members)
    assert re.findall(r"<h3><span>([^<]*)", section) == ["Contrastive loss"]
    assert re.findall(r'class="line (\w+)"', section) == ["c0", "c1"]
    points = json.loads(re.search(r'data-points="([^"]*)"', section)[1].replace("&quot;", '"'))
    assert [point[2:] for point in points] == [
        ["10", "x/run 3 · y/run 3.5"],
        ["20", "x/run 2 · y/run 2.5"],
        ["30", "y/run 1.5"],
    ]
    heights = {}
    for class_, x, y in re.findall(
        r'<circle cx="([\d.]+)" cy="([\d.]+)" r="2.6" class="dot (\w+)"', section
    ):
        heights.setdefault(y, []).append((float(class_), float(x)))
    (_, first), (_, second) = heights["c0"][0], heights["c1"][0]
    assert first > second  # 3 lies lower than 3.5.
    assert heights["c0"][1][0] == heights["c1"][1][0]
    assert re.findall(r'<li class="(c\d)">x/<wbr>run', comparison.header(members)) == ["c0"]
    table = comparison.results(members, {"/data": facts.Data(4, num_videos={})})
    assert re.findall(r'<tr class="(c\d)">', table) == ["c0", "c1"]


def test_accuracy_among_views_and_among_classes_are_two_drawings(tmp_path):
    accuracy = {"accuracy": {10: 0.25, 20: 0.5}}
    for name, task in (("a", "pretrain.Pretraining"), ("b", "classify.Classification")):
        for number in (1, 2):
            folder = tmp_path / f"{name}{number}"
            config = conftest.PRETRAINING.replace("pretrain.Pretraining", task)
            conftest.write_run(folder, data_dir="/data", config=config)
            conftest.write_events(folder / "train", accuracy)
    members = comparison.read([str(tmp_path / name) for name in ("a1", "a2", "b1", "b2")])
    section = comparison.curves(members)
    titles = ["Accuracy in training", "Contrastive accuracy"]
    assert re.findall(r"<h3><span>([^<]*)", section) == titles
    assert re.findall(r'class="line (\w+)"', section) == ["c2", "c3", "c0", "c1"]


def test_results_of_folders_of_one_name_can_be_told_apart(tmp_path):
    folders = [_run(tmp_path / above / "run", {1: 1.0}) for above in ("x", "y")]
    members = comparison.read(folders)
    data = {"/data": facts.Data(0, {})}
    rows = re.findall(r'<th scope="row">(\w)/<wbr>run<', comparison.results(members, data))
    assert rows == ["x", "y"]


def test_a_run_without_results_has_a_row_that_says_why(tmp_path):
    folders = [_run(tmp_path / "a", {1: 1.0})]
    folders += [conftest.write_run(tmp_path / name, data_dir="/data") for name in ("b", "c")]
    conftest.write_checkpoint(folders[1])
    data = {"/data": facts.Data(0, {})}
    table = comparison.results(comparison.read(folders), data)
    rows = re.findall(r'row">(\w)<small>([^<]*)</small></th><td>(–?)', table)
    assert [(name, empty) for name, _, empty in rows] == [("a", ""), ("b", "–"), ("c", "–")]
    assert "Nothing was evaluated yet: train.py with --mode=eval" in rows[1][1]
    assert "no checkpoint is there" in rows[2][1]
    alone = comparison.results(comparison.read(folders[1:]), data)
    assert re.findall(r"<p>(\w): Nothing was evaluated yet", alone) == ["b", "c"]


def test_settings_that_differ_and_how_many_do_not(tmp_path):
    members = comparison.read(
        [_run(tmp_path / "a", {1: 1.0}), _run(tmp_path / "b", {1: 1.0}, batch=16)]
    )
    section = comparison.settings(members)
    assert re.findall(r"<th scope=\"row\">(.*?)</th><td>(.*?)</td><td>(.*?)</td>", section) == [
        ("BATCH", "8", "16")
    ]
    assert "3 others are the same" in section
    assert "There is no scalar" in comparison.curves(members)
    assert "All runs have the same" in comparison.settings(members[:1])


@pytest.mark.parametrize("opener", browsers.openers().values(), ids=browsers.openers())
def test_the_page_of_several_runs(demo, tmp_path, opener):
    path = tmp_path / "page" / "report.html"
    path.parent.mkdir()
    folders = [str(demo / name) for name in ("linear_eval", "linear_eval_random")]
    folders += [_run(tmp_path / name, {10: 2.0, 20: 1.0}) for name in ("one", "two")]
    page.write_comparison(folders, str(path))
    assert os.listdir(path.parent) == ["report.html"]
    seen = opener(path, tmp_path)
    for words in ("4 runs", "87.5%", "62.5%", "experiment.run.pretrained"):
        assert browsers.squeezed(words) in seen.text
    assert seen.title == "4 runs · CVRL"
    assert seen.requests == []
    assert seen.widths is None or len(seen.widths) == 1
    assert all(width < 620 for width in seen.widths or ())  # A curve alone has a column's width.
    assert not seen.misaligned  # Headings stand on the side of their columns.


@pytest.mark.parametrize(
    ("times", "words"), [(2, "names a run twice"), (0, "holds no run"), (1, "8 at most")]
)
def test_what_cannot_be_compared_is_refused(tmp_path, times, words):
    run = _run(tmp_path / "a", {1: 1.0})
    others = [_run(tmp_path / f"{n}", {1: 1.0}) for n in range(8)] if times == 1 else []
    with pytest.raises(errors.UserError, match=words):
        comparison.read([run] * times + others if times else [str(tmp_path / "gone"), run])
