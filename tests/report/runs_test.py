# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What a run is, and which runs belong to it."""

import pytest

from official_cvrl import errors
from official_cvrl.report import runs
from tests.report import conftest

_FINE_TUNING = conftest.LINEAR.replace("frozen = True", "frozen = False")


def _write(folder, name, *, data_dir="/data", pretrained="", config=conftest.LINEAR, **more):
    config = config.format(pretrained=pretrained)
    return conftest.write_run(
        folder / name, data_dir=data_dir, config=config, results={"top1": 0.5}, **more
    )


def _names(folder, name):
    return [run.name for run in runs.family(runs.read(folder / name))]


def test_family_holds_what_evaluates_the_backbone(tmp_path):
    _write(tmp_path, "b_pretrain", config=conftest.PRETRAINING)
    _write(tmp_path, "other_pretrain", config=conftest.PRETRAINING)
    _write(tmp_path, "linear", pretrained="b_pretrain")
    _write(tmp_path, "a_late", pretrained=str(tmp_path / "b_pretrain" / "ckpt-30"))
    _write(tmp_path, "elsewhere", pretrained=str(tmp_path / "b_pretrain"), data_dir="/moved")
    _write(tmp_path, "of_other", pretrained="other_pretrain")
    _write(tmp_path, "a_random", dtype="mixed_bfloat16", recompute=True)
    _write(tmp_path, "random_on_other_data", data_dir="/unrelated")
    _write(tmp_path, "random_of_other_depth", depth=34)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{")
    (tmp_path / "a file").write_text("")
    family = ["b_pretrain", "a_late", "elsewhere", "linear", "a_random"]
    assert _names(tmp_path, "b_pretrain") == family
    assert _names(tmp_path, "linear") == family
    assert _names(tmp_path, "of_other") == ["other_pretrain", "of_other", "a_random"]


def test_a_run_with_a_backbone_from_elsewhere_stands_alone(tmp_path):
    _write(tmp_path / "runs", "linear", pretrained=str(tmp_path / "far" / "ckpt-1"))
    assert _names(tmp_path / "runs", "linear") == ["linear"]


@pytest.mark.parametrize(
    ("config", "pretrained", "words"),
    [
        (conftest.PRETRAINING, "", "CVRL pre-training"),
        (conftest.LINEAR, "pretrain", "Linear evaluation of pretrain"),
        (conftest.LINEAR, "", "Linear evaluation of random weights"),
        (_FINE_TUNING, "pretrain", "Fine-tuning of pretrain"),
        (_FINE_TUNING, "", "Supervised training"),
        (conftest.DETECTION, "", "Action detection of random weights"),
        ("", "", "Training run"),
    ],
)
def test_describe(tmp_path, config, pretrained, words):
    _write(tmp_path, "run", config=config, pretrained=pretrained)
    assert runs.read(tmp_path / "run").describe() == words


def test_results_and_their_absence(tmp_path):
    conftest.write_run(tmp_path / "run", data_dir="/data")
    assert runs.read(tmp_path / "run").results == {}
    (tmp_path / "run" / "results.json").write_text('{"top1": 0.25}')
    assert runs.read(tmp_path / "run").results == {"top1": 0.25}
    (tmp_path / "run" / "results.json").write_text('["top1"]')
    with pytest.raises(errors.UserError, match=r"results\.json holds no table"):
        runs.read(tmp_path / "run")


def test_a_remote_run_is_to_be_copied():
    with pytest.raises(errors.UserError, match="--model_dir=gs://a/b must be on a local disk"):
        runs.read("gs://a/b")


def test_no_run_there(tmp_path):
    with pytest.raises(errors.UserError, match=f"{tmp_path} holds no run"):
        runs.read(tmp_path)
