# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Which weights a run's backbone starts from, and whether they still are what they were."""

import dataclasses
import hashlib
import os

import tensorflow as tf

from official_cvrl import checkpoints, errors, filesystems, spelling


@dataclasses.dataclass(frozen=True)
class Origin:
    """The weights a backbone started from.

    Attributes:
        path: of the checkpoint; "" for random weights.
        digest: of its content, so that a checkpoint made anew under the same name is another.
    """

    path: str = ""
    digest: str = ""


def load(backbone: tf.keras.Model, pretrained: str, *, model_dir: str) -> Origin:
    """Loads the weights into a backbone and says so.

    Args:
        backbone: a built backbone.
        pretrained: what `checkpoints.load_backbone` reads, or the name of a run beside this one;
            "" leaves the backbone as it is.
        model_dir: this run's folder.

    Raises:
        UserError: there are no such weights, or they do not fit.
    """
    if not pretrained:
        return Origin()
    try:
        path = checkpoints.load_backbone(backbone, place(pretrained, model_dir))
    except errors.UserError as error:
        raise errors.UserError(
            f"{error} (It was looked for because run.pretrained = {pretrained!r}, beside "
            f"{model_dir} and as it is written.{_runs_there(pretrained, model_dir)} Pre-train "
            "first, or name a run, its folder, or weights that others trained: docs/weights.md.)"
        ) from error
    print(f"Backbone from {path}.", flush=True)
    return Origin(path, digest(path))


def refuse_other(begun_from: Origin, pretrained: str, *, model_dir: str) -> None:
    """Refuses to go on with a run whose backbone would start elsewhere now.

    Weights that are not there any more are no reason: the run has its own copy.

    Args:
        begun_from: what the run started from.
        pretrained: see `load`.
        model_dir: the run's folder.

    Raises:
        UserError: the weights have changed since.
    """
    try:
        path = checkpoints.find(place(pretrained, model_dir)) if pretrained else ""
    except errors.UserError:
        return
    now = Origin(path, digest(path)) if path else Origin()
    if now.digest == begun_from.digest:
        return
    raise errors.UserError(
        f"{model_dir} began with the backbone of {begun_from.path or 'random weights'}; "
        f"run.pretrained = {pretrained!r} is {now.path or 'random weights'} now, with other "
        "weights. Give another --model_dir, or remove that folder; --mode=eval tells the old one's "
        "results."
    )


def _runs_there(pretrained, model_dir):
    """Says what can be named: runs beside this one, and in the folders beside it."""
    folder = os.path.dirname(filesystems.absolute(model_dir))
    found = [
        os.path.relpath(os.path.dirname(path), folder)
        for depth in ("*", os.path.join("*", "*"))
        for path in tf.io.gfile.glob(os.path.join(folder, depth, "checkpoint"))
    ]
    near = spelling.meant(os.path.basename(pretrained), found, compared=os.path.basename)
    return f" Runs in {folder}: {', '.join(sorted(found)) or 'none'}.{near}"


def place(pretrained: str, model_dir: str) -> str:
    """Returns the path that `load` reads: beside a run's folder if it is there, or as written."""
    beside = os.path.join(os.path.dirname(filesystems.absolute(model_dir)), pretrained)
    return beside if tf.io.gfile.exists(beside) else pretrained


def digest(path: str) -> str:
    """Returns what tells a checkpoint's, or a file's, content from another's."""
    # The index of a checkpoint holds the checksums of all its tensors.
    index = f"{path}.index"
    with tf.io.gfile.GFile(index if tf.io.gfile.exists(index) else path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()[:16]
