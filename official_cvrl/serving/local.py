# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A SavedModel in this process."""

import hashlib
import os
import pathlib

import numpy as np
import tensorflow as tf

from official_cvrl import errors, filesystems
from official_cvrl.data import clip_format
from official_cvrl.serving import client

_CHUNK = 1 << 22


class Local(client.Client):
    """A SavedModel that `export` wrote.

    Attributes:
        clip: the clip format that it wants.

    Args:
        saved_model: a version's folder, or a folder of versions, of which the newest is taken.

    Raises:
        UserError: no SavedModel of this package there, or it is broken.
    """

    def __init__(self, saved_model: str):
        self._folder = _newest_version(saved_model)
        self.clip = _read_clip_format(os.path.join(self._folder, clip_format.SERVED_FILE))
        try:
            self._model = tf.saved_model.load(self._folder)
        except (OSError, ValueError, tf.errors.OpError) as error:
            raise errors.UserError(
                f"{self._folder} cannot be loaded: {error}. Make the SavedModel again with python "
                "-m official_cvrl.serving.export."
            ) from error

    def describe(self, *, timeout: float) -> client.Description:
        """See the base class."""
        del timeout
        functions = self._model.signatures.items()
        inputs = {signature: _shapes(function) for signature, function in functions}
        checksum = f"sha256 {_checksum(self._folder)[:16]}"
        return client.Description(os.path.abspath(self._folder), inputs, checksum)

    def predict(
        self, signature: str, name: str, values: np.ndarray, *, output: str, timeout: float
    ) -> np.ndarray:
        """See the base class."""
        del timeout
        try:
            return self._model.signatures[signature](**{name: tf.constant(values)})[output].numpy()
        except tf.errors.OpError as error:
            raise client.Refused(error.message) from error


def _shapes(function):
    _, named = function.structured_input_signature
    return {name: tuple(spec.shape) for name, spec in named.items()}


def _checksum(folder):
    """Of the graph and the weights, with what they are called."""
    digest = hashlib.sha256()
    for path in sorted(pathlib.Path(folder).rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name == "saved_model.pb" or name.startswith("variables/"):
            digest.update(f"{name} {path.stat().st_size}\n".encode())
            with open(path, "rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
    return digest.hexdigest()


def _newest_version(folder):
    filesystems.refuse_remote(folder, option="--saved_model")
    versions = []
    if os.path.isdir(folder):
        versions = sorted((name for name in os.listdir(folder) if name.isdecimal()), key=int)
    found = os.path.join(folder, versions[-1]) if versions else folder
    for needed in ("saved_model.pb", clip_format.SERVED_FILE):
        if not os.path.exists(os.path.join(found, needed)):
            raise errors.UserError(
                f"{folder!r} holds no SavedModel of this package ({needed} is missing); make one "
                "with python -m official_cvrl.serving.export."
            )
    return found


def _read_clip_format(path):
    try:
        with open(path, encoding="utf-8") as file:
            return clip_format.ClipFormat.from_json(file.read())
    except (OSError, ValueError) as error:
        raise errors.UserError(
            f"{path} is broken: {error}. Make the SavedModel again with python -m "
            "official_cvrl.serving.export."
        ) from error
