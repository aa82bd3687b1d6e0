# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Values read off a saved configuration."""

import pytest

from official_cvrl.report import settings

_TEXT = """
BATCH = 32
SIZE = %BATCH
LOOP = %LOOP
experiment.run.global_batch_size = %SIZE
experiment.run.pretrained = 'pretrain'
experiment.run.task = @pretrain.Pretraining
experiment.run.test_input = None
experiment.run.model_dir = \\
    '/a/long/path'
experiment.run.broken = [1, 2
test/experiment.run.test_split = 'of another scope'
experimentXrun.seed = 1
"""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("experiment.run.global_batch_size", 32),
        ("experiment.run.pretrained", "pretrain"),
        ("experiment.run.task", "@pretrain.Pretraining"),
        ("experiment.run.test_input", None),
        ("experiment.run.model_dir", "/a/long/path"),
        ("experiment.run.broken", "default"),
        ("experiment.run.test_split", "default"),
        ("experiment.run.seed", "default"),
        ("LOOP", "default"),
    ],
)
def test_value(name, value):
    assert settings.Settings(_TEXT).value(name, "default") == value


def test_the_file_of_a_run(tmp_path):
    assert settings.read(str(tmp_path)).text == ""
    (tmp_path / "config.gin").write_text("SEED = 3\n", encoding="utf-8")
    assert settings.read(str(tmp_path)).value("SEED") == 3
