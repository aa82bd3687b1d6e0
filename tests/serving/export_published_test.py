# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What is exported, the published code loads and computes the same with."""

import types

import numpy as np
import pytest
from official.vision.configs import video_classification as published_configs
from official.vision.tasks import video_classification as published_tasks

from official_cvrl import checkpoints, errors
from official_cvrl.modeling import resnet_3d
from official_cvrl.serving import export_published
from tests.e2e import conftest as commands
from tests.report import conftest as runs
from tests.weights import networks


@pytest.fixture(scope="module", name="ours")
def _ours():
    return networks.randomize(
        resnet_3d.ResNet3D(
            50,
            stem_temporal_kernel_size=3,
            temporal_kernel_sizes=(1, (3, 1, 3, 1), 3, 1),
            temporal_strides=(1, 1, 2, 1),
            kernel_initializer="zeros",
        )
    )


def test_the_published_code_loads_it(tmp_path, ours):
    path = str(tmp_path / "new" / "published")
    export_published.export_published(ours, path)
    model = export_published.published_model(ours)  # With random weights of its own.
    task = published_tasks.VideoClassificationTask(
        published_configs.VideoClassificationTask(
            init_checkpoint=path, init_checkpoint_modules="backbone"
        )
    )
    task.initialize(types.SimpleNamespace(backbone=model))
    clips = networks.clips(1, 4, 32, 32, 3)
    theirs, mine = model(clips, training=False), ours(clips, training=False)
    for name in ("2", "3", "4", "5"):
        expected = mine[f"conv{name}"].numpy()
        np.testing.assert_allclose(theirs[name], expected, atol=1e-4 * expected.max())
    again = resnet_3d.ResNet3D.from_config(ours.get_config())  # All zeros and ones.
    checkpoints.load_backbone(again, path)
    assert networks.unchanged(again, networks.values(ours))


def test_what_the_published_backbone_cannot_be_is_refused_by_name(tmp_path):
    ours = networks.tiny(
        18, stem_pool=False, spatial_dilations=(1, 1, 1, 2), spatial_strides=[1] * 4
    )
    with pytest.raises(errors.UserError) as refusal:
        export_published.export_published(ours, str(tmp_path / "published"))
    for word in (
        "depth = 18",
        "width_multiplier = 0.0625, where it has 1.0",
        "stem_pool = False",
        "spatial_strides = (1, 1, 1, 1)",
        "spatial_dilations = (1, 1, 1, 2)",
    ):
        assert word in str(refusal.value)
    assert "stem_spatial_stride" not in str(refusal.value)
    assert not list(tmp_path.iterdir())


def test_an_output_that_cannot_be_written(tmp_path, ours):
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.UserError, match="cannot be written"):
        export_published.export_published(ours, str(tmp_path / "file" / "x"))


def test_the_command_ends_in_one_message(tmp_path):
    run = tmp_path / "run"
    runs.write_run(run, data_dir="nowhere")
    runs.write_checkpoint(run)
    command = ["-m", "official_cvrl.serving.export_published"]
    done = commands.python(*command, f"--model_dir={run}", f"--output={tmp_path}/published")
    assert done.returncode == 2, done.stderr
    assert "error: The published backbone cannot be like this one: depth = 18" in done.stderr
    assert "Traceback" not in done.stderr
