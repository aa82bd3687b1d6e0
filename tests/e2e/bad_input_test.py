# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What a user gets wrong ends in one message, exit code 2 and no stack trace."""

import pathlib
import shutil

import pytest
from absl import flags
from absl.testing import flagsaver

import train
from official_cvrl import errors, experiment
from tests.e2e import conftest


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
        (
            "linear_eval.gin",
            ["experiment.run.pretrained = 'nowhere'"],
            ["nowhere", "beside", "Runs in"],
        ),
        (
            "pretrain.gin",
            ["run.data_service = 'grpc://localhost:1'"],
            ["localhost:1", "dispatcher"],
        ),
        ("linear_eval.gin", ["run.test_split = 'validate'", "run.pretrained = ''"], ["validate"]),
        ("pretrain.gin", ["GLOBAL_BATCH_SIZE = 0"], ["BATCH_SIZE = 0: global_batch_size=0 must"]),
        ("pretrain.gin", ["run.seed = -1"], ["run.seed = -1: seed=-1 must"]),
        ("pretrain.gin", ["LEARNING_RATE = 'fast'"], ["warmup_cosine.learning_rate takes float"]),
        ("pretrain.gin", ["AUGMENTATION = @augment.paper"], ["write @augment.paper()"]),
        ("pretrain.gin", ["pretrain.Pretraining.temperature = 0"], ["temperature=0"]),
        ("pretrain.gin", ["pipeline.two_view_batches.trend = 'up'"], ["trend='up'", "increasing"]),
    ],
)
def test_settings(refused_here, tmp_path, records, gin_file, params, words):
    run = tmp_path / "run"
    message = refused_here(gin_file, model_dir=run, data_dir=records, params=params)
    for word in words:
        assert word in message
    assert not list(tmp_path.rglob("ckpt-*"))
    assert not run.exists()


@pytest.mark.parametrize(
    ("arguments", "given"), [([], "nothing"), (["pretrain.gin"], "pretrain.gin")]
)
def test_without_a_gin_file(capsys, arguments, given):
    with flagsaver.flagsaver():
        leftover = flags.FLAGS(["train.py", *arguments])
        assert train.main(leftover) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {given} was given where --gin_file=NAME.gin is needed")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "binding"),
    [
        (["--gin_param=TRAIN_STEPS", "=", "3"], "TRAIN_STEPS = 3"),
        (["--gin_param=TRAIN_STEPS", "=3", "--mode=train"], "TRAIN_STEPS =3"),
        (["--gin_param=TRAIN_STEPS=", "3"], "TRAIN_STEPS= 3"),
    ],
)
def test_a_binding_without_quotes(capsys, words, binding):
    with flagsaver.flagsaver():
        assert train.main(flags.FLAGS(["train.py", "--gin_file=pretrain.gin", *words])) == 2
    assert f'put quotes around it: --gin_param="{binding}"\n' in capsys.readouterr().err


def test_a_profile_of_no_training(refused_here, tmp_path, records):
    arguments = {"model_dir": tmp_path / "run", "data_dir": records, "profile": True}
    assert "--profile" in refused_here("pretrain.gin", mode="eval", **arguments)


def test_a_mistake_ends_the_command(tmp_path):
    run = tmp_path / "run"
    message = conftest.refused(
        conftest.train("pretrain.gin", model_dir=run, data_dir=tmp_path / "nothing")
    )
    assert str(tmp_path / "nothing") in message
    assert not run.exists()


def test_a_truncated_shard_is_named(refused_here, tmp_path, records):
    broken = _copy(records, tmp_path / "records")
    shard = min(broken.glob("train-0*"))
    shard.write_bytes(shard.read_bytes()[:-100])
    message = refused_here("pretrain.gin", model_dir=tmp_path / "run", data_dir=broken)
    assert shard.name in message


def test_a_run_folder_that_cannot_be_made(refused_here, tmp_path, records):
    blocked = tmp_path / "file"
    blocked.write_text("")
    message = refused_here("pretrain.gin", model_dir=blocked / "run", data_dir=records)
    assert str(blocked) in message
    link = tmp_path / "extern"
    link.symlink_to(tmp_path / "not_mounted")
    for folder in (link, link / "run"):
        message = refused_here("pretrain.gin", model_dir=folder, data_dir=records)
        assert f"cannot be written: {link} links to what is not there" in message
    with pytest.raises(errors.UserError, match="'/proc/nope' cannot be written: "):
        experiment._make("/proc/nope")


def test_nothing_to_evaluate(refused_here, tmp_path, records):
    message = refused_here(
        "pretrain.gin", model_dir=tmp_path / "run", data_dir=records, mode="eval"
    )
    assert "No checkpoint" in message
    assert not (tmp_path / "run").exists()


def test_a_serving_command_says_what_it_needs(tmp_path):
    given = (f"--model_dir={tmp_path}", f"--output={tmp_path / 'out'}")
    message = conftest.refused(conftest.python("-m", "official_cvrl.serving.export", *given))
    assert str(tmp_path) in message
