# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The tiles at the top of the page."""

import os
import xml.etree.ElementTree as ET

from official_cvrl.report import events, facts, headline, runs
from tests.report import conftest


def _header(model_dir):
    run = runs.read(model_dir)
    family = runs.family(run)
    train = events.read(os.path.join(run.model_dir, "train"))
    header = headline.header(run, family, train, facts.read_data(family))
    tree = ET.fromstring(header.replace("<wbr>", ""))
    tiles = [
        ["".join(part.itertext()) for part in div]
        for div in tree.iter("div")
        if div.get("class") == "tile"
    ]
    return "".join(tree.find("h1").itertext()), tree.find("p").text, tiles


def test_pretraining_shows_its_linear_evaluation(demo):
    name, kind, tiles = _header(demo / "pretrain")
    assert name == "pretrain"
    assert kind == "CVRL pre-training: R3D-18 ×0.0625 on records"
    assert tiles[:3] == [
        ["Top-1, linear_eval", "87.5%", "random weights 62.5%, chance 50.0%"],
        ["kNN top-1", "75.0%", "chance 50.0%"],
        ["Contrastive accuracy", "50.0%", "chance 12.5%"],
    ]
    assert tiles[3][:2] == ["Steps", "30"]
    assert tiles[3][2].endswith("s, 40 clips a second")


def test_an_evaluation_shows_its_own_result(demo):
    assert _header(demo / "linear_eval")[2] == [
        ["Top-1", "87.5%", "random weights 62.5%, chance 50.0%"]
    ]
    assert _header(demo / "linear_eval_random")[2] == [["Top-1", "62.5%", "chance 50.0%"]]


def test_what_trained_all_layers_from_random_weights_is_not_called_so(tmp_path):
    run = conftest.write_run(tmp_path / "pretrain", data_dir="/gone")
    for name, pretrained, top1 in (
        ("evaluated", "pretrain", 0.7),
        ("random", "", 0.3),
        ("scratch", "", 0.9),
    ):
        config = conftest.LINEAR.format(pretrained=pretrained)
        if name == "scratch":
            config = config.replace("frozen = True", "frozen = False")
        results = {"top1": top1}
        conftest.write_run(tmp_path / name, data_dir="/gone", config=config, results=results)
    assert _header(run)[2] == [
        ["Top-1, evaluated", "70.0%", "random weights 30.0%, trained from scratch 90.0%"]
    ]


def test_runs_on_a_part_of_the_videos_are_told_and_held_against_their_like(tmp_path):
    run = conftest.write_run(tmp_path / "pretrain", data_dir="/gone")
    a_tenth = "experiment.run.train_subset = 0.1\n"
    for name, pretrained, more, top1 in (
        ("a_few", "pretrain", a_tenth, 0.6),
        ("all", "pretrain", "", 0.8),
        ("random_few", "", a_tenth, 0.2),
        ("random_of_all", "", "", 0.4),
    ):
        config = conftest.LINEAR.format(pretrained=pretrained) + more
        conftest.write_run(tmp_path / name, data_dir="/gone", config=config, results={"top1": top1})
    assert _header(run)[2] == [["Top-1, all", "80.0%", "random weights 40.0%"]]
    _, kind, tiles = _header(tmp_path / "a_few")
    assert kind.startswith("Linear evaluation of pretrain on 10% of the training videos: ")
    assert tiles == [["Top-1", "60.0%", "random weights 20.0%"]]


def test_linear_evaluation_speaks_for_a_backbone_before_fine_tuning(tmp_path):
    run = conftest.write_run(tmp_path / "pretrain", data_dir="/gone")
    frozen = conftest.LINEAR.format(pretrained="pretrain")
    for name, config, top1 in (
        ("finetune", frozen.replace("frozen = True", "frozen = False"), 0.9),
        ("linear_eval", frozen, 0.7),
    ):
        conftest.write_run(tmp_path / name, data_dir="/gone", config=config, results={"top1": top1})
    assert _header(run)[2][0][:2] == ["Top-1, linear_eval", "70.0%"]


def test_a_backbone_trained_further_is_not_told_the_numbers_of_before(tmp_path):
    run = conftest.write_run(tmp_path / "pretrain", data_dir="/gone", results={"knn_top1": 0.5})
    begun_from = conftest.write_weights(run, step=30)
    config = conftest.LINEAR.format(pretrained="pretrain")
    linear = conftest.write_run(
        tmp_path / "linear",
        data_dir="/gone",
        config=config,
        results={"top1": 0.25},
        origin=begun_from,
    )
    assert [tile[:2] for tile in _header(run)[2]] == [
        ["Top-1, linear", "25.0%"],
        ["kNN top-1", "50.0%"],
    ]
    conftest.write_weights(run, step=1040)
    assert [tile[:2] for tile in _header(run)[2]] == [["kNN top-1 at step 30", "50.0%"]]
    _, kind, tiles = _header(linear)
    assert kind.startswith("Linear evaluation of ckpt-30, an earlier checkpoint of pretrain: ")
    assert tiles[0][:2] == ["Top-1", "25.0%"]


def test_a_baseline_trained_further_or_of_other_data_is_none(tmp_path):
    for name, pretrained, data_dir in (
        ("linear", "pretrain", "/gone"),
        ("elsewhere", "pretrain", "/other"),
        ("a_random_elsewhere", "", "/other"),
        ("random", "", "/gone"),
    ):
        config = conftest.LINEAR.format(pretrained=pretrained)
        top1 = 0.125 if "elsewhere" in name else 0.25
        conftest.write_run(
            tmp_path / name, data_dir=data_dir, config=config, results={"top1": top1}
        )
    conftest.write_run(tmp_path / "pretrain", data_dir="/gone")
    assert _header(tmp_path / "linear")[2] == [["Top-1", "25.0%", "random weights 25.0%"]]
    conftest.write_weights(tmp_path / "random", step=40)
    assert _header(tmp_path / "linear")[2] == [["Top-1", "25.0%", ""]]


def test_accuracy_is_that_of_the_end_not_the_best(tmp_path):
    run = conftest.write_run(tmp_path / "run", data_dir="/gone")
    conftest.write_events(tmp_path / "run" / "train", {"accuracy": {1: 0.5, 2: 0.75, 3: 0.25}})
    assert _header(run)[2][0][1] == "25.0%"


def test_nothing_to_show(tmp_path):
    run = conftest.write_run(tmp_path / "run", data_dir=tmp_path / "gone")
    assert _header(run)[2] == []
