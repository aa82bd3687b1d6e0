# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""From a pre-trained backbone to numbers, a SavedModel and embeddings, by the commands."""

import json
import pathlib

import numpy as np

from tests.e2e import conftest

_WITHOUT_THE_PACKAGE = """
import sys, numpy as np, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
clips = tf.constant(np.load(sys.argv[2]))
assert not any(name.startswith("official") for name in sys.modules)
np.save(sys.argv[3], model.signatures["serving_default"](clips=clips)["embedding"])
"""


def test_linear_evaluation_of_the_run_beside_it(pretrained, records):
    run = pretrained.parent / "linear_eval"
    done = conftest.train("linear_eval.gin", model_dir=run, data_dir=records)
    assert done.returncode == 0, done.stderr
    assert f"Backbone from {pretrained}/ckpt-12" in done.stdout
    results = json.loads((run / "results.json").read_text())
    assert set(results) == {"top1", "knn_top1"}
    described = json.loads((run / "run.json").read_text())
    assert described["label_names"] == (records / "labels.txt").read_text().splitlines()
    assert described["classifier"]["num_classes"] == len(described["label_names"])
    again = conftest.train("linear_eval.gin", model_dir=run, data_dir=records, mode="eval")
    assert json.loads((run / "results.json").read_text()) == results, again.stderr


def test_saved_model_and_embeddings(pretrained, videos, tmp_path):
    served = tmp_path / "saved_model"
    for version in ("1", "2"):
        done = conftest.python(
            *("-m", "official_cvrl.serving.export"),
            *(f"--model_dir={pretrained}", f"--output={served}"),
        )
        assert done.returncode == 0, done.stderr
        assert (served / version / "saved_model.pb").exists()
    assert sorted(path.name for path in served.iterdir()) == ["1", "2"]

    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video")
    output = tmp_path / "embeddings.npz"
    done = conftest.python(
        *("-m", "official_cvrl.serving.extract", f"--saved_model={served}"),
        *(f"--videos={videos / 'test'}", f"--videos={broken}", f"--output={output}"),
    )
    assert done.returncode == 1, done.stderr
    assert f"no embedding: {broken}: unreadable" in done.stderr
    with np.load(output) as table:
        assert table["paths"].tolist() == sorted(map(str, (videos / "test").rglob("*.mp4")))
        assert table["embeddings"].shape == (4, 32)
        assert np.ptp(table["embeddings"], axis=0).max() > 0


def test_saved_model_needs_no_package_and_equals_the_backbone(pretrained, tmp_path):
    from official_cvrl import run_info
    from official_cvrl.serving import export

    version = export.export(str(pretrained), str(tmp_path / "saved_model"))
    clips = np.random.default_rng(0).integers(0, 255, [3, 4, 20, 20, 3], np.uint8)
    np.save(tmp_path / "clips.npy", clips)
    script = tmp_path / "load.py"
    script.write_text(_WITHOUT_THE_PACKAGE)
    done = conftest.python(
        script, version, tmp_path / "clips.npy", tmp_path / "out.npy", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    backbone, _ = run_info.load_backbone(str(pretrained), run_info.read_trained(str(pretrained)))
    center = clips[:, :, 2:18, 2:18].astype(np.float32) / 255
    expected = backbone(center, training=False)["embedding"]
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, rtol=1e-4, atol=1e-5)


def test_report_of_a_real_run(pretrained, tmp_path):
    page = tmp_path / "report.html"
    done = conftest.python(
        "-m", "official_cvrl.report", f"--model_dir={pretrained}", f"--output={page}"
    )
    assert done.returncode == 0, done.stderr
    text = page.read_text(encoding="utf-8")
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
