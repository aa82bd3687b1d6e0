# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A version appears whole and tried or not at all, and a server finds all it needs in it."""

import dataclasses
import os
import pathlib
import re
import resource
import shlex
import shutil
import sys
import venv
from importlib import metadata

import numpy as np
import pytest
import tensorflow as tf
from absl import flags
from tensorflow.core.protobuf import config_pb2
from tensorflow_serving.apis import prediction_log_pb2

from official_cvrl import errors, manifest, run_info
from official_cvrl.modeling import heads, resnet_3d
from official_cvrl.serving import export, samples, signatures, trial, warmup
from tests.report import conftest as runs
from tests.serving import printed

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
    """Where the documentation's command looks for it."""
    return _write_classification(tmp_path_factory.mktemp("runs") / "RUN")


def _run_command(*arguments):
    given = flags.FlagValues()
    export.define_flags(given)
    given(["export", *arguments])
    return export.run(given)


@pytest.fixture(scope="module", name="version")
def _version(run):
    """Made by the documentation's command."""
    command, _ = printed.boxes("bash", "Export")
    python, dash_m, module, *arguments = shlex.split(command)
    assert [python, dash_m, module] == ["python", "-m", export.__name__]
    folder = pathlib.Path(run).parent
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert _run_command(*arguments) == 0
    return folder / "DIR" / "1"


def test_the_documentations_program(version, monkeypatch, capsys):
    monkeypatch.chdir(version.parents[1])
    (program,) = printed.boxes("python", "Export")
    exec(program, {})
    assert capsys.readouterr().out == "(2, 32)\n"


def test_what_tensorflows_tool_says(version, monkeypatch, capsys):
    monkeypatch.chdir(version.parents[1])
    _, command = printed.boxes("bash", "Export")
    name, *arguments = shlex.split(command)
    (tool,) = metadata.entry_points(group="console_scripts", name=name)
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    with pytest.raises(SystemExit) as ended:
        tool.load()()
    assert not ended.value.code
    said = capsys.readouterr().out
    assert re.findall(r"\['(\w+)'\] tensor_info:\s+dtype: (\w+)\s+shape: (.*)", said) == [
        ("clips", "DT_UINT8", "(-1, 4, -1, -1, 3)"),
        ("embedding", "DT_FLOAT", "(-1, 32)"),
        ("embedding_normalized", "DT_FLOAT", "(-1, 32)"),
        ("logits", "DT_FLOAT", "(-1, 3)"),
        ("probabilities", "DT_FLOAT", "(-1, 3)"),
        ("temporal_stride", "DT_INT32", "(-1)"),
        ("top_labels", "DT_STRING", "(-1, 3)"),
    ]


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
        assert request.model_spec.name == "RUN"
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
        "temporal_stride": [-1],
        "top_labels": classes,
    }


def test_the_folder_of_a_version(version):
    assert os.listdir(version.parent) == ["1"]
    assert (version / "assets" / "labels.txt").read_text().splitlines() == list(_LABELS)
    card = (version / "model_card.md").read_text()
    for words in (
        "# RUN\n",
        "R3D-18, width 0.0625, a classifier of 3 classes",
        "| checkpoint | `RUN/ckpt-30` |",
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
    with pytest.raises(errors.UserError, match=r"version 1 already.*none for version 2"):
        export.export(run, str(version.parent), options=export.Options(version=1))
    assert (version / "saved_model.pb").stat() == before
    assert os.listdir(version.parent) == ["1"]


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


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("s4://bucket/model", "cannot open s4:// paths; use a local folder"),
        ("ram://a", "is memory"),
    ],
)
def test_outputs_elsewhere_are_no_folders_here(run, output, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert _run_command(f"--model_dir={run}", f"--output={output}") == 2
    assert message in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


def test_a_disk_that_is_full(run, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(errors.UserError, match=r"cannot be written: .*; File too large"):
            export.export(run, str(tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == []


@pytest.fixture(scope="module", name="check")
def _check(version, run, tmp_path_factory):
    """Tries the version, or another folder, against a classifier's bias and one signature."""
    info = run_info.read_trained(run)
    backbone, checkpoint = run_info.load_backbone(run, info)
    classifier = run_info.load_classifier(checkpoint, info, embedding_dim=32)
    labels = str(version / "assets" / "labels.txt")
    written = signatures.Signatures(
        backbone, clip=info.clip, classifier=classifier, label_file=labels
    )
    requests = {"encoded_frames": samples.requests(info.clip)["encoded_frames"]}
    scratch = str(tmp_path_factory.mktemp("scratch"))

    def check(*, bias=(0.0, 0.0, 0.0), saved_model=version, module=written, requests=requests):
        classifier.output_layer.bias.assign(bias)
        return trial.check(str(saved_model), module, requests, scratch=scratch)

    check.headless = signatures.Signatures(backbone, clip=info.clip)
    return check


def test_other_weights_do_not_pass_wherever_tensorflow_lies(check, tmp_path, monkeypatch):
    """Here the interpreter finds none by itself, as if it were in PYTHONPATH or the user's own."""
    venv.create(tmp_path / "empty", symlinks=True)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "empty" / "bin" / "python"))
    with pytest.raises(trial.TrialError, match=r"encoded_frames: (logits|probabilities) differs"):
        check(bias=(0.0, 0.0, 1e-3))


def test_another_number_of_classes_does_not_pass(check):
    with pytest.raises(trial.TrialError, match="it declares"):
        check(module=check.headless)


def test_damage_does_not_pass(check, version, tmp_path):
    damaged = shutil.copytree(version, tmp_path / "damaged")
    (damaged / "variables" / "variables.index").unlink()
    with pytest.raises(trial.TrialError, match="plain TensorFlow cannot use it: .*variables"):
        check(saved_model=damaged)


def test_it_is_tried_without_this_package(check):
    """Where TensorFlow lies this package may lie, too."""
    ours = {"encoded_frames": {"frames": errors.UserError()}}
    with pytest.raises(trial.TrialError, match="'official_cvrl' is not a package"):
        check(requests=ours)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "echo An.Error: GPUs $CUDA_VISIBLE_DEVICES, Keras $TF_USE_LEGACY_KERAS. >&2; exit 1",
            None,
        ),
        ("printf '\\377' >&2; exit 3", "exit code 3"),
        ("kill -KILL $$", "SIGKILL ended it, as happens for want of memory"),
    ],
)
def test_how_the_process_that_tries_it_starts_and_ends(
    check, tmp_path, monkeypatch, script, message
):
    interpreter = tmp_path / "python"
    interpreter.write_text(f"#!/bin/sh\n{script}\n")
    interpreter.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(trial.TrialError) as caught:
        check()
    message = message or "An.Error: GPUs -1, Keras ."
    assert str(caught.value) == f"plain TensorFlow cannot use it: {message}"
