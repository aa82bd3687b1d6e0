# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A version appears whole and tried or not at all, and a server finds all it needs in it."""

import dataclasses
import os
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2
from tensorflow_serving.apis import prediction_log_pb2

from official_cvrl import errors, manifest, run_info
from official_cvrl.modeling import heads, resnet_3d
from official_cvrl.serving import export, samples, signatures, trial, warmup
from tests.report import conftest as runs

_LABELS = ("jump", "run fast", "swim")
_SIGNATURES = {"serving_default", "encoded_frames", "sequence_examples", "multi_view"}


def _write_classification(folder, *, label_names=_LABELS, described=True):
    """A run as linear evaluation leaves it."""
    data_dir = runs.write_records(folder.parent / "records")
    runs.write_run(folder, data_dir=data_dir, results={"top1": 0.625})
    info = run_info.read(str(folder))
    backbone = resnet_3d.ResNet3D.from_config(dict(info.backbone))
    classifier = heads.LinearClassifier(len(_LABELS))
    classifier.build([None, backbone.embedding_dim])
    checkpoint = tf.train.Checkpoint(backbone=backbone, classifier=classifier)
    tf.train.CheckpointManager(checkpoint, str(folder), 1).save(30)
    if described:
        config = classifier.get_config()
        info = dataclasses.replace(info, classifier=config, label_names=label_names)
        run_info.write(str(folder), info)
    return str(folder)


@pytest.fixture(scope="module", name="run")
def _run(tmp_path_factory):
    return _write_classification(tmp_path_factory.mktemp("runs") / "a_run")


@pytest.fixture(scope="module", name="version")
def _version(run, tmp_path_factory):
    output = tmp_path_factory.mktemp("served") / "new"
    return pathlib.Path(export.export(run, str(output), options=export.Options(version=3)))


class _Session:
    """A SavedModel in a session, as TensorFlow Serving has it: nothing looks at a feed's shape."""

    def __init__(self, saved_model):
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            loaded = tf.compat.v1.saved_model.load(self._session, ["serve"], str(saved_model))
        self.definitions = loaded.signature_def

    def predict(self, signature, inputs):
        definition = self.definitions[signature]
        names = sorted(definition.outputs)
        # Python's `run` would look at shapes, which the C++ interface below it does not.
        options = config_pb2.CallableOptions(
            feed=[definition.inputs[name].name for name in inputs],
            fetch=[definition.outputs[name].name for name in names],
        )
        run = self._session._make_callable_from_options(options)
        return dict(zip(names, run(*inputs.values()), strict=True))


@pytest.fixture(scope="module", name="session")
def _session(version):
    return _Session(version)


def test_a_server_warms_up_with_a_request_for_each_signature(version, session):
    warmed = []
    for record in tf.data.TFRecordDataset(str(version / warmup.FILE)).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        assert request.model_spec.name == "a_run"
        inputs = {name: tf.make_ndarray(proto) for name, proto in request.inputs.items()}
        answer = session.predict(request.model_spec.signature_name, inputs)
        assert answer["embedding"].shape == (1, 32)
        assert answer["top_labels"].shape == (1, 3)
        assert {name.decode() for name in answer["top_labels"][0]} == set(_LABELS)
        warmed.append(request.model_spec.signature_name)
    assert len(warmed) == len(_SIGNATURES) and set(warmed) == _SIGNATURES


@pytest.mark.parametrize("shape", [[2, 8, 20, 20, 3], [2, 3, 20, 20, 3], [3, 4, 20, 20, 4]])
def test_a_server_cannot_mistake_the_shape_of_clips(session, shape):
    with pytest.raises(tf.errors.InvalidArgumentError, match="reshape"):
        session.predict("serving_default", {"clips": np.zeros(shape, np.uint8)})


def test_what_is_declared(session):
    for name in _SIGNATURES:
        definition = session.definitions[name]
        tensors = [*definition.inputs.values(), *definition.outputs.values()]
        assert {tensor.tensor_shape.dim[0].size for tensor in tensors} == {-1}
    outputs = session.definitions["multi_view"].outputs
    shapes = {key: [d.size for d in info.tensor_shape.dim] for key, info in outputs.items()}
    classes, embedding = [-1, 3], [-1, 32]
    assert shapes == {
        "embedding": embedding,
        "embedding_normalized": embedding,
        "logits": classes,
        "probabilities": classes,
        "top_labels": classes,
    }


def test_the_folder_of_a_version(version, run):
    assert version.name == "3"
    assert os.listdir(version.parent) == ["3"]
    assert (version / "assets" / "labels.txt").read_text().splitlines() == list(_LABELS)
    card = (version / "model_card.md").read_text()
    for words in (
        "# a_run\n",
        "R3D-18, width 0.0625, a classifier of 3 classes",
        f"`{run}/ckpt-30`",
        "| train | 6 | 2 |",
        "| top1 | 0.625 |",
        "`clips` uint8 [batch, 4, height, width, 3]",
        "`top_labels` string [batch, 3]",
        "experiment.run.global_batch_size = %BATCH",
    ):
        assert words in card, words
    for signature in _SIGNATURES:
        assert f"\n| `{signature}` | " in card.partition("## Size and latency")[2]


def test_a_version_is_never_replaced(version, run):
    before = (version / "saved_model.pb").stat()
    with pytest.raises(errors.UserError, match=r"version 3 already.*none for version 4"):
        export.export(run, str(version.parent), options=export.Options(version=3))
    assert (version / "saved_model.pb").stat() == before
    assert os.listdir(version.parent) == ["3"]


@pytest.mark.parametrize("label_names", [(), _LABELS[:2]])
def test_labels_that_are_not_the_classifiers(tmp_path, label_names):
    run = _write_classification(tmp_path / "run", label_names=label_names)
    message = f"names {len(label_names)} labels for a classifier of 3 classes"
    with pytest.raises(errors.UserError, match=message) as caught:
        export.export(run, str(tmp_path / "served"))
    assert manifest.LABELS_NAME in str(caught.value)
    assert os.listdir(tmp_path / "served") == []


def test_a_classifier_is_never_left_out_silently(tmp_path):
    run = _write_classification(tmp_path / "run", described=False)
    with pytest.raises(errors.UserError, match="holds a classifier that .*run.json does not"):
        export.export(run, str(tmp_path / "served"))


def test_no_checkpoint(tmp_path):
    run = runs.write_run(tmp_path / "run", data_dir="nowhere")
    with pytest.raises(errors.UserError, match="No checkpoint"):
        export.export(run, str(tmp_path / "served"))
    with pytest.raises(errors.UserError, match="No checkpoint at '.*ckpt-7'"):
        options = export.Options(checkpoint=str(tmp_path / "ckpt-7"))
        export.export(run, str(tmp_path / "served"), options=options)
    assert os.listdir(tmp_path / "served") == []


@pytest.mark.parametrize("wrong", [{"version": -1}, {"dtype": "float8"}])
def test_options_that_cannot_be(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"{name}={value!r}"):
        export.Options(**wrong)


def test_what_answers_something_else_does_not_pass(version, run, tmp_path):
    """Other weights, then another number of classes, than in the process that wrote it."""
    info = run_info.read_trained(run)
    backbone, checkpoint = run_info.load_backbone(run, info)
    classifier = run_info.load_classifier(checkpoint, info, embedding_dim=32)
    labels = str(version / "assets" / "labels.txt")
    written = signatures.Signatures(
        backbone, clip=info.clip, classifier=classifier, label_file=labels
    )
    requests = {"encoded_frames": samples.requests(info.clip)["encoded_frames"]}

    def check(module, saved_model=version):
        return trial.check(str(saved_model), module, requests, scratch=str(tmp_path))

    classifier.output_layer.bias.assign([0.0, 0.0, 1e-3])
    with pytest.raises(trial.TrialError, match=r"encoded_frames: (logits|probabilities) differs"):
        check(written)
    with pytest.raises(trial.TrialError, match="it declares"):
        check(signatures.Signatures(backbone, clip=info.clip))
    damaged = shutil.copytree(version, tmp_path / "damaged")
    (damaged / "variables" / "variables.index").unlink()
    with pytest.raises(trial.TrialError, match="plain TensorFlow cannot use it: .*variables"):
        check(written, damaged)


def test_a_remote_output_is_refused_before_any_folder_is_made(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.UserError, match="s3://bucket/x: .* copy it from there"):
        export.export(run, "s3://bucket/x")
    assert os.listdir(tmp_path) == []
