# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A run's folder, read back: which data, which backbone, which clips."""

import dataclasses
import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

import official_cvrl
from official_cvrl import checkpoints, errors, filesystems, outputs
from official_cvrl import origin as origin_lib
from official_cvrl.data import clip_format
from official_cvrl.modeling import action_head as action_head_lib
from official_cvrl.modeling import heads, resnet_3d

_NAME, _RESULTS = "run.json", "results.json"
_STEP = "step"  # In results.json, beside the measures.
_OF_COMPUTING = ("name", "dtype", "recompute")


@dataclasses.dataclass(frozen=True)
class RunInfo:
    """What a run's folder says of it, kept in run.json.

    Attributes:
        data_dir: folder of the shards it was trained on.
        backbone: `ResNet3D.get_config()` of its backbone.
        clip: what the model sees in evaluation; None for a run that never evaluates.
        origin: the weights its backbone started from.
        version: of the package that made the run.
        classifier: `LinearClassifier.get_config()`; None for a run that trains none.
        action_head: `ActionHead.get_config()`; None for a run that trains none.
        label_names: of the classifier's or head's classes, in order.
        key_frames: how key frames are tested, see `detection.TestInput.settings`; None for a run
            that tests none.
        frozen: whether the classifier alone was trained; None for a run that trains none, and of
            earlier versions.
        train_data: what it was trained on, see `feed.Feed.train_data`; "" of earlier versions.
    """

    data_dir: str
    backbone: Mapping[str, Any]
    clip: clip_format.ClipFormat | None
    origin: origin_lib.Origin = origin_lib.Origin()
    version: str = official_cvrl.__version__
    classifier: Mapping[str, Any] | None = None
    action_head: Mapping[str, Any] | None = None
    label_names: Sequence[str] = ()
    key_frames: Mapping[str, Any] | None = None
    frozen: bool | None = None
    train_data: str = ""


def architecture(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns what of a model's `get_config()` says what it is, not how it is computed."""
    return {name: value for name, value in config.items() if name not in _OF_COMPUTING}


def write(model_dir: str, info: RunInfo) -> None:
    """Writes run.json, whole or not at all."""
    write_json(os.path.join(model_dir, _NAME), dataclasses.asdict(info))


def read(model_dir: str) -> RunInfo | None:
    """Returns what the folder's run.json says, None if there is none.

    Raises:
        UserError: the file is there but broken.
    """
    path = filesystems.openable_path(model_dir) / _NAME
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text())
        clip, origin = content.pop("clip"), content.pop("origin", {})
        label_names = tuple(content.pop("label_names", ()))
        info = RunInfo(
            clip=clip and clip_format.ClipFormat(**clip),
            origin=origin_lib.Origin(**origin),
            label_names=label_names,
            **content,
        )
        _check_types(info)
        return info
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise errors.UserError(f"{path} is not the description of a run: {error}") from error


def _check_types(info):
    optional = info.classifier, info.action_head, info.key_frames
    tables = info.backbone, *(table or {} for table in optional)
    texts = info.data_dir, info.version, info.train_data, *info.label_names
    if not all(isinstance(table, dict) for table in tables):
        raise TypeError("backbone, classifier, action_head and key_frames must be tables")
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("data_dir, version, train_data and label_names must be text")


def read_trained(model_dir: str) -> RunInfo:
    """Returns what a run's folder says, for those who need a trained model with a clip format.

    Raises:
        UserError: the folder holds no run, or one that does not say what its clips look like.
    """
    info = read(model_dir)
    if info is None:
        raise errors.UserError(
            f"{model_dir} holds no run (no {_NAME}); give the --model_dir of a training run."
        )
    if info.clip is None:
        raise errors.UserError(
            f"{model_dir} was trained without test_input and probe_input, so the clip format of "
            "evaluation is not known; bind one of them and run --mode=train once more."
        )
    return info


def read_results(model_dir: str) -> Mapping[str, float]:
    """Returns the measures of a run's last evaluation by name; empty if there was none.

    Raises:
        UserError: the file is there but broken.
    """
    return {name: value for name, value in _results(model_dir).items() if name != _STEP}


def evaluated_step(model_dir: str) -> int | None:
    """Returns the step of the weights that a run's last evaluation is of.

    None if there was no evaluation, or it is of an earlier version, which did not say.

    Raises:
        UserError: as `read_results`.
    """
    step = _results(model_dir).get(_STEP)
    return None if step is None else int(step)


def outdated_step(model_dir: str) -> int | None:
    """Returns the step of a run's last evaluation if its newest checkpoint is of another step.

    None, too, where there is no checkpoint, or nothing says which step was evaluated.

    Raises:
        UserError: as `read_results` and `checkpoints.listed`.
    """
    evaluated, there = evaluated_step(model_dir), checkpoints.listed(model_dir)
    return evaluated if there and evaluated != step_of(there[-1]) else None


def step_of(checkpoint: str) -> int | None:
    """Returns the step in a checkpoint's name, such as ckpt-500; None if there is none."""
    match = re.search(r"-(\d+)$", checkpoint)
    return int(match[1]) if match else None


def _results(model_dir):
    path = filesystems.openable_path(model_dir) / _RESULTS
    if not path.exists():
        return {}
    try:
        return {str(name): float(value) for name, value in json.loads(path.read_text()).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise errors.UserError(f"{path} holds no table of results: {error}") from error


def write_results(model_dir: str, results: Mapping[str, float], *, step: int) -> None:
    """Writes what `read_results` and `evaluated_step` read, whole or not at all."""
    write_json(os.path.join(model_dir, _RESULTS), {_STEP: step, **results})


def load_backbone(
    model_dir: str, info: RunInfo, *, dtype: str | None = None
) -> tuple[resnet_3d.ResNet3D, str]:
    """Builds a run's backbone with the weights of its newest checkpoint; names the checkpoint.

    Args:
        model_dir: the run's folder, or what else `checkpoints.load_backbone` reads.
        info: describes the backbone.
        dtype: name of the Keras policy to compute with; None: as in training.

    Raises:
        UserError: there is no checkpoint, or it does not fit.
    """
    backbone = resnet_3d.ResNet3D.from_config(_with_dtype(info.backbone, dtype))
    return backbone, checkpoints.load_backbone(backbone, model_dir)


def load_classifier(
    checkpoint: str, info: RunInfo, *, embedding_dim: int, dtype: str | None = None
) -> heads.LinearClassifier:
    """Builds the classifier that a run trained, with the weights of one of its checkpoints.

    Args:
        checkpoint: without its ending.
        info: describes the classifier.
        embedding_dim: of the backbone.
        dtype: see `load_backbone`.

    Raises:
        UserError: the checkpoint holds no such classifier.
    """
    classifier = heads.LinearClassifier.from_config(_with_dtype(info.classifier, dtype))
    classifier.build([None, embedding_dim])
    checkpoints.restore(tf.train.Checkpoint(classifier=classifier), checkpoint)
    return classifier


def load_action_head(
    checkpoint: str, info: RunInfo, *, embedding_dim: int
) -> action_head_lib.ActionHead:
    """Builds the action head that a run trained; arguments and errors as of `load_classifier`."""
    head = action_head_lib.ActionHead.from_config(dict(info.action_head))
    head.build([None, embedding_dim])
    checkpoints.restore(tf.train.Checkpoint(action_head=head), checkpoint)
    return head


def _with_dtype(config, dtype):
    return dict(config) | ({} if dtype is None else {"dtype": dtype})


def write_json(path: str, content: Any) -> None:
    """Writes a JSON file, whole or not at all.

    Raises:
        UserError: it cannot be written; the file before it stays.
    """
    outputs.save_text(path, json.dumps(content, indent=2) + "\n")
