# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tries a SavedModel before anyone gets it: what it declares, and what plain TensorFlow answers."""

import os
import pickle
import re
import signal
import subprocess
import sys
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from official_cvrl.serving import signatures as signatures_lib

_SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "plain_load.py")
# The line of a traceback that names the error.
_ERROR = re.compile(r"^\w[\w.]*(?:Error|Exception|Interrupt)\b.*", re.MULTILINE)
# Of the largest value. In 16 bits a sum in another order may round to a neighbour.
_TOLERANCE, _TOLERANCE_16_BITS = 1e-5, 0.05


class TrialError(Exception):
    """A SavedModel is not what it was written from."""


def check(
    saved_model: str,
    signatures: signatures_lib.Signatures,
    requests: Mapping[str, Mapping[str, np.ndarray]],
    *,
    scratch: str,
) -> Mapping[str, float]:
    """Loads a SavedModel in a process without this package and compares its answers.

    Args:
        saved_model: its folder.
        signatures: what it was written from, in this process.
        requests: by signature, the inputs by name.
        scratch: folder for what the two processes tell each other.

    Returns:
        By signature, seconds that a request took once the first was answered.

    Raises:
        TrialError: a signature declares something else than `signatures.contract()`, the model
            cannot be loaded, or it answers something else than `signatures`.
    """
    declared = {name: _described(spec) for name, spec in signatures.contract().items()}
    written = _declarations(saved_model)
    if written != declared:
        raise TrialError(f"it declares {written}, where {declared} was to be written")
    tolerance = _TOLERANCE_16_BITS if signatures.dtype.endswith("16") else _TOLERANCE
    answers = _answers(saved_model, requests, scratch=scratch)
    for name, inputs in requests.items():
        tensors = {key: tf.constant(value) for key, value in inputs.items()}
        expected = signatures.functions[name](**tensors)
        for output, values in answers[name]["outputs"].items():
            _compare(f"{name}: {output}", values, expected[output].numpy(), tolerance=tolerance)
    return {name: answer["seconds"] for name, answer in answers.items()}


def _answers(saved_model, requests, *, scratch):
    asked, answered = (os.path.join(scratch, name) for name in ("requests", "answers"))
    with open(asked, "wb") as file:
        pickle.dump({name: dict(inputs) for name, inputs in requests.items()}, file)
    done = subprocess.run(
        [sys.executable, "-I", _SCRIPT, saved_model, asked, answered, *_folders()],
        env=_environment(),
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise TrialError(f"plain TensorFlow cannot use it: {_reason(done)}")
    with open(answered, "rb") as file:
        return pickle.load(file)


def _folders():
    """Where this process finds packages, archives among them."""
    return [os.path.abspath(folder) for folder in sys.path if folder and os.path.exists(folder)]


def _environment():
    """That of this process without Keras's choice of this package, and without GPUs.

    TensorFlow would take all memory of a GPU from who trains on it.
    """
    kept = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    return kept | {"CUDA_VISIBLE_DEVICES": "-1"}


def _reason(done):
    """What a process that failed said last, or how it ended."""
    if said := _ERROR.findall(done.stderr):
        return said[-1]
    if done.returncode > 0:
        return f"exit code {done.returncode}"
    return f"{signal.Signals(-done.returncode).name} ended it, as happens for want of memory"


def _compare(what, values, expected, *, tolerance):
    if values.shape != expected.shape:
        raise TrialError(f"{what} has shape {values.shape} instead of {expected.shape}")
    if values.dtype.kind != "f":
        return  # Labels: of probabilities that are equal, either may come first.
    difference = np.abs(values - expected).max()
    if not difference <= tolerance * np.abs(expected).max():
        raise TrialError(f"{what} differs by {difference:.3g} from {np.abs(expected).max():.3g}")


def _described(spec):
    return {
        side: {
            name: (tensor.dtype.as_datatype_enum, tuple(tensor.shape))
            for name, tensor in spec[side].items()
        }
        for side in ("inputs", "outputs")
    }


def _declarations(saved_model):
    """What clients are told: by signature, dtype and shape of inputs and outputs."""
    with open(os.path.join(saved_model, "saved_model.pb"), "rb") as file:
        graph = saved_model_pb2.SavedModel.FromString(file.read()).meta_graphs[0]
    return {
        name: {"inputs": _tensors(definition.inputs), "outputs": _tensors(definition.outputs)}
        for name, definition in graph.signature_def.items()
        if not name.startswith("__")
    }


def _tensors(infos):
    return {
        name: (info.dtype, tuple(None if d.size == -1 else d.size for d in info.tensor_shape.dim))
        for name, info in infos.items()
    }
