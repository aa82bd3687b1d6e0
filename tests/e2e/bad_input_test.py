# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What a user gets wrong ends in one message, exit code 2 and no stack trace."""

import pathlib
import shutil

import pytest

from tests.e2e import conftest


def _refused(done):
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, done.stderr
    return lines[0] + done.stderr.split(lines[0])[1]


def _copy(records, folder):
    shutil.copytree(records, folder)
    return pathlib.Path(folder)


@pytest.mark.parametrize(
    ("gin_file", "params", "words"),
    [
        ("pretrian.gin", [], ["pretrian.gin", "pretrain.gin"]),
        ("pretrain.gin", ["trainer.Loop.train_stps = 3"], ["train_stps", "train_steps"]),
        ("pretrain.gin", ["TRAIN_STPES = 3"], ["TRAIN_STPES", "TRAIN_STEPS"]),
        ("pretrain.gin", ["GLOBAL_BATCH_SIZE = 64"], ["64", "12 videos"]),
        ("pretrain.gin", ["runtime.Runtime.precision = 'fp8'"], ["fp8", "mixed_bfloat16"]),
        ("linear_eval.gin", ["experiment.run.pretrained = 'nowhere'"], ["nowhere", "beside"]),
        ("linear_eval.gin", ["run.test_split = 'validate'", "run.pretrained = ''"], ["validate"]),
        ("pretrain.gin", ["pretrain.Pretraining.temperature = 0"], ["temperature=0"]),
        ("pretrain.gin", ["pipeline.two_view_batches.trend = 'up'"], ["trend='up'", "increasing"]),
    ],
)
def test_settings(tmp_path, records, gin_file, params, words):
    run = tmp_path / "run"
    message = _refused(conftest.train(gin_file, model_dir=run, data_dir=records, params=params))
    for word in words:
        assert word in message
    assert not list(tmp_path.rglob("ckpt-*"))


@pytest.mark.parametrize("arguments", [[], ["pretrain.gin"]])
def test_without_a_gin_file(arguments):
    message = _refused(conftest.python("train.py", *arguments))
    assert "--gin_file=NAME.gin" in message


def test_no_such_data(tmp_path):
    message = _refused(
        conftest.train("pretrain.gin", model_dir=tmp_path / "run", data_dir=tmp_path / "nothing")
    )
    assert str(tmp_path / "nothing") in message


def test_a_truncated_shard_is_named(tmp_path, records):
    broken = _copy(records, tmp_path / "records")
    shard = min(broken.glob("train-0*"))
    shard.write_bytes(shard.read_bytes()[:-100])
    message = _refused(conftest.train("pretrain.gin", model_dir=tmp_path / "run", data_dir=broken))
    assert shard.name in message


def test_another_architecture_is_refused_by_name(pretrained, records):
    message = _refused(
        conftest.train(
            "pretrain.gin",
            model_dir=pretrained,
            data_dir=records,
            params=["resnet_3d.ResNet3D.width_multiplier = 0.125"],
        )
    )
    assert "kernel" in message
    assert "does not fit" in message


def test_a_run_folder_that_cannot_be_made(tmp_path, records):
    blocked = tmp_path / "file"
    blocked.write_text("")
    message = _refused(conftest.train("pretrain.gin", model_dir=blocked / "run", data_dir=records))
    assert str(blocked) in message


def test_nothing_to_evaluate(tmp_path, records):
    message = _refused(
        conftest.train("pretrain.gin", model_dir=tmp_path / "run", data_dir=records, mode="eval")
    )
    assert "No checkpoint" in message


@pytest.mark.parametrize("module", ["export", "extract"])
def test_serving_commands_say_what_they_need(tmp_path, module):
    flags = {
        "export": [f"--model_dir={tmp_path}", f"--output={tmp_path / 'out'}"],
        "extract": [f"--saved_model={tmp_path}", f"--videos={tmp_path}", "--output=x.npz"],
    }
    message = _refused(conftest.python("-m", f"official_cvrl.serving.{module}", *flags[module]))
    assert str(tmp_path) in message
