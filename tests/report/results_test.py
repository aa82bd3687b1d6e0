# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The table of results."""

import xml.etree.ElementTree as ET

from official_cvrl.report import facts, results, runs
from tests.report import conftest


def _tables(run, data=None):
    family = runs.family(run)
    section = results.section(run, family, data or facts.read_data(family))
    tree = ET.fromstring(section.replace("<wbr>", ""))
    tables = [
        [["".join(cell.itertext()) for cell in row] for row in table.iter("tr")]
        for table in tree.iter("table")
    ]
    return tables, ["".join(p.itertext()) for p in tree.iter("p")], tree


def test_runs_beside_and_chance(demo):
    (table,), captions, tree = _tables(runs.read(demo / "pretrain"))
    assert table == [
        ["Run", "Top-1", "Top-5", "kNN top-1"],
        ["pretrainCVRL pre-training", "–", "–", "75.0%"],
        ["linear_evalLinear evaluation of pretrain", "87.5%", "100.0%", "–"],
        ["linear_eval_randomLinear evaluation of random weights", "62.5%", "100.0%", "–"],
        ["Chance", "50.0%", "100.0%", "50.0%"],
    ]
    assert captions == [
        "How often each is right on the test videos; chance is a guess among 2 classes."
    ]
    bars = [svg[1].get("width") for svg in tree.iter("svg")]
    assert bars == ["75.0", "87.5", "100.0", "62.5", "100.0", "50.0", "100.0", "50.0"]


def test_each_data_set_has_a_table_and_a_chance(tmp_path):
    conftest.write_run(tmp_path / "pretrain", data_dir="/big", results={"knn_top1": 0.5})
    config = conftest.LINEAR.format(pretrained="pretrain")
    conftest.write_run(tmp_path / "moved", data_dir="/small", config=config, results={"top1": 0.5})
    data = {"/big": facts.Data(400, {}), "/small": facts.Data(10, {})}
    tables, captions, _ = _tables(runs.read(tmp_path / "pretrain"), data)
    assert [[row[0] for row in table[1:]] for table in tables] == [
        ["pretrainCVRL pre-training", "Chance"],
        ["movedLinear evaluation of pretrain", "Chance"],
    ]
    assert [table[-1][1] for table in tables] == ["0.2%", "10.0%"]
    assert "of big; chance is a guess among 400 classes" in captions[0]
    assert "of small; chance is a guess among 10 classes" in captions[1]


def test_results_of_earlier_weights_say_so(tmp_path):
    run = conftest.write_run(tmp_path / "pretrain", data_dir="/gone", results={"top1": 0.5})
    conftest.write_weights(run, step=40)
    (table,), _, _ = _tables(runs.read(run))
    assert table[1][0] == "pretrainCVRL pre-training; of its step 30, not of its newest checkpoint"


def test_unlabelled_data_have_no_chance(tmp_path):
    run = conftest.write_run(tmp_path / "run", data_dir=tmp_path / "gone", results={"score": 0.5})
    (table,), captions, tree = _tables(runs.read(run))
    assert table == [["Run", "score"], ["runCVRL pre-training", "0.5"]]
    assert captions == ["How often each is right on the test videos."]
    assert not list(tree.iter("svg"))


def test_nothing_evaluated(tmp_path):
    run = conftest.write_run(tmp_path / "run", data_dir=tmp_path)
    tables, captions, _ = _tables(runs.read(run))
    assert tables == []
    (said,) = captions
    assert said.startswith("Nothing was evaluated yet: no checkpoint is there, so train first")
    conftest.write_checkpoint(run)
    _, captions, _ = _tables(runs.read(run))
    assert captions == ["Nothing was evaluated yet: train.py with --mode=eval does it."]


def test_what_has_no_labels_is_not_to_be_evaluated(tmp_path):
    data = conftest.write_records(tmp_path / "films", label_names=(), train=1, test=1)
    run = conftest.write_run(tmp_path / "run", data_dir=data)
    conftest.write_checkpoint(run)
    _, (said,), _ = _tables(runs.read(run))
    assert said.startswith("Nothing can be measured on films: its records have no labels. ")
    assert "official_cvrl.probe" in said
    assert "--mode=eval" not in said
