# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""From a pre-trained backbone to numbers, a SavedModel and embeddings, by the commands."""

import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from official_cvrl import run_info
from official_cvrl.report import page
from official_cvrl.serving import export, extract, tables
from tests.e2e import conftest
from tests.serving.model_server import process
from tfrecords_tools import video


def test_linear_evaluation_of_the_run_beside_it(train_here, pretrained, records):
    run = pretrained.parent / "linear_eval"
    code, said, errors = train_here("linear_eval.gin", model_dir=run, data_dir=records)
    assert code == 0, errors
    assert f"Backbone from {pretrained}/ckpt-12" in said
    assert "Of 4 test videos alone" in said
    results = json.loads((run / "results.json").read_text())
    assert set(results) == {"step", "top1", "knn_top1"}
    described = json.loads((run / "run.json").read_text())
    assert described["label_names"] == (records / "labels.txt").read_text().splitlines()
    assert described["frozen"]
    assert described["classifier"]["num_classes"] == len(described["label_names"])
    (run / "results.json").unlink()
    code, _, errors = train_here("linear_eval.gin", model_dir=run, data_dir=records, mode="eval")
    assert json.loads((run / "results.json").read_text()) == results, errors


@pytest.fixture(scope="module", name="served")
def _served(tmp_path_factory, pretrained):
    """The folder of versions that the command makes."""
    folder = tmp_path_factory.mktemp("exported") / "saved_model"
    flags = (f"--model_dir={pretrained}", f"--output={folder}")
    assert conftest.command_here(export, *flags) == 0
    assert [path.name for path in folder.iterdir()] == ["1"]
    return folder


def test_embeddings_of_the_saved_model(served, videos, tmp_path, capsys):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video")
    output = tmp_path / "embeddings.npz"
    sources = (f"--videos={videos / 'test'}", f"--videos={broken}")
    flags = (f"--saved_model={served}", *sources, f"--output={output}")
    assert conftest.command_here(extract, *flags) == 1
    assert f"no embedding: {broken}: unreadable" in capsys.readouterr().err
    with np.load(output) as table:
        assert table["paths"].tolist() == sorted(map(str, (videos / "test").rglob("*.mp4")))
        assert table["embeddings"].shape == (4, 32)
        assert np.ptp(table["embeddings"], axis=0).max() > 0


def test_embeddings_over_each_way_are_the_backbones(served, pretrained, tmp_path):
    path = tmp_path / "clip.mp4"  # As large as the model resizes it to.
    conftest.write_video(path, direction="left", seed=0, size=20)
    with process.serving(served) as server:
        assert server.warmed == 4
        found = {}
        for way in (
            [f"--saved_model={served}"],
            [f"--server={server.grpc}"],
            [f"--server={server.rest}", "--signature=serving_default"],
        ):
            output = str(tmp_path / "x.npz")
            flags = (*way, f"--videos={path}", f"--output={output}", "--num_clips=2")
            assert conftest.command_here(extract, *flags) == 0
            found[way[0]] = tables.read(output).embeddings
    jpegs = video.read_video(path, settings=video.Settings()).frames
    frames = np.stack([tf.io.decode_jpeg(jpeg) for jpeg in jpegs])
    assert frames.shape == (12, 20, 20, 3)
    clips = np.stack([frames[0:4], frames[8:12]])[:, :, 2:18, 2:18].astype(np.float32) / 255
    backbone, _ = run_info.load_backbone(str(pretrained), run_info.read_trained(str(pretrained)))
    first, last = backbone(clips, training=False)["embedding"].numpy()
    assert np.abs(first - last).max() > 0.01
    for way, embeddings in found.items():
        np.testing.assert_allclose(embeddings, [(first + last) / 2], atol=1e-5, err_msg=way)


def test_report_of_a_real_run(pretrained, tmp_path):
    output = tmp_path / "report.html"
    page.write(str(pretrained), str(output))
    text = output.read_text(encoding="utf-8")
    for words in ("Contrastive loss", "view 2", "the single nearest has the right class"):
        assert words in text


def test_another_architecture_is_refused_by_name(refused_here, pretrained, records):
    message = refused_here(
        "pretrain.gin",
        model_dir=pretrained,
        data_dir=records,
        params=["resnet_3d.ResNet3D.width_multiplier = 0.125"],
    )
    assert "kernel" in message
    assert "does not fit" in message


def test_another_data_set_is_not_mixed_in(refused_here, pretrained, records, tmp_path):
    copy = tmp_path / "other"
    copy.mkdir()
    for path in pathlib.Path(records).iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    message = refused_here("pretrain.gin", model_dir=pretrained, data_dir=copy)
    assert f"holds a run on {records}, not on {copy}" in message
