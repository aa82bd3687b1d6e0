# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A run's folder read back."""

import pytest

from official_cvrl import errors, run_info
from official_cvrl.data import clip_format
from official_cvrl.modeling import resnet_3d

_CLIP = clip_format.ClipFormat(num_frames=4, temporal_stride=2, min_resize=20, crop_size=16)


def _info(clip=_CLIP):
    backbone = resnet_3d.ResNet3D(depth=18, width_multiplier=0.125)
    return run_info.RunInfo(data_dir="/data", backbone=backbone.get_config(), clip=clip)


def test_round_trip(tmp_path):
    info = _info()
    run_info.write(str(tmp_path), info)
    read = run_info.read_trained(str(tmp_path))
    assert (read.data_dir, read.clip, read.version) == (info.data_dir, _CLIP, info.version)
    rebuilt = resnet_3d.ResNet3D.from_config(dict(read.backbone))
    assert [v.shape for v in rebuilt.variables] == [
        v.shape for v in resnet_3d.ResNet3D.from_config(dict(info.backbone)).variables
    ]


def test_no_run_there(tmp_path):
    assert run_info.read(str(tmp_path)) is None
    with pytest.raises(errors.UserError, match="holds no run"):
        run_info.read_trained(str(tmp_path))


def test_a_run_without_a_clip_format(tmp_path):
    run_info.write(str(tmp_path), _info(clip=None))
    with pytest.raises(errors.UserError, match="clip format"):
        run_info.read_trained(str(tmp_path))


@pytest.mark.parametrize("content", ["", "[]", '{"clip": null}', '{"clip": {"frames": 3}}'])
def test_a_broken_description(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(errors.UserError, match=r"run\.json is not the description of a run"):
        run_info.read(str(tmp_path))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("num_frames", 0, "num_frames=0"), ("crop_size", 32, "must not exceed")],
)
def test_clip_formats_that_cannot_be(field, value, message):
    arguments = {"num_frames": 4, "temporal_stride": 2, "min_resize": 20, "crop_size": 16}
    with pytest.raises(ValueError, match=message):
        clip_format.ClipFormat(**(arguments | {field: value}))
