# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The versions of one model: which are served, and what they answer."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

from tests.serving.model_server import batching, status

_WARMUP = "assets.extra/tf_serving_warmup_requests"


class Servable:
    """One version of a model.

    Attributes:
        version: its number.
        signature_defs: by name.
        num_warmed: warm-up requests that were answered before it was ready.

    Args:
        folder: of the version.
        parameters: of batching, or None.
    """

    def __init__(self, folder: pathlib.Path, parameters: batching.Parameters | None = None):
        self.version = int(folder.name)
        self._model = tf.saved_model.load(str(folder))
        self.signature_defs = _signature_defs(folder)
        self._runs = {name: self._runner(name) for name in self.signature_defs}
        self.num_warmed = self._warm_up(folder / _WARMUP)
        self.batchers = {}
        if parameters:
            self.batchers = {
                name: batching.Batcher(run, parameters) for name, run in self._runs.items()
            }

    def predict(
        self, signature: str, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] = ()
    ) -> Mapping[str, np.ndarray]:
        """Returns the outputs asked for, all if none are.

        Raises:
            status.Error: no such signature, other inputs than its, or TensorFlow says no.
        """
        definition = self.definition(signature)
        _check_inputs(definition, inputs)
        for name in outputs:
            if name not in definition.outputs:
                raise status.Error(
                    "INVALID_ARGUMENT", f"output tensor alias not found in signature: {name}"
                )
        run = self.batchers.get(signature, self._runs[signature])
        answer = run(inputs)
        return {name: answer[name] for name in outputs or answer}

    def definition(self, signature: str) -> meta_graph_pb2.SignatureDef:
        """Returns a signature.

        Raises:
            status.Error: there is no such signature.
        """
        if signature not in self.signature_defs:
            raise status.Error(
                "FAILED_PRECONDITION", f'Serving signature key "{signature}" not found.'
            )
        return self.signature_defs[signature]

    def _runner(self, signature):
        function = self._model.signatures.get(signature)

        def run(inputs):
            try:
                answer = function(**{name: tf.constant(value) for name, value in inputs.items()})
            except tf.errors.OpError as error:
                raise status.Error("INVALID_ARGUMENT", error.message) from error
            return {name: value.numpy() for name, value in answer.items()}

        return run

    def _warm_up(self, file):
        count = 0
        for record in tf.data.TFRecordDataset([str(file)] if file.exists() else []):
            log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
            request = log.predict_log.request
            inputs = {name: tf.make_ndarray(proto) for name, proto in request.inputs.items()}
            self.predict_without_batching(request.model_spec.signature_name, inputs)
            count += 1
        return count

    def predict_without_batching(self, signature: str, inputs: Mapping[str, np.ndarray]) -> None:
        """Answers a request to itself."""
        _check_inputs(self.definition(signature), inputs)
        self._runs[signature](inputs)


@dataclasses.dataclass(frozen=True)
class Model:
    """A model by its name and what is served of it: the newest version, as by default.

    Attributes:
        name: that requests give.
        servable: the version.
    """

    name: str
    servable: Servable

    def find(self, name: str, version: int | None) -> Servable:
        """Returns what a request asks for.

        Raises:
            status.Error: another model, or another version.
        """
        if name != self.name or version not in (None, self.servable.version):
            wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise status.Error("NOT_FOUND", f"Servable not found for request: {wanted}")
        return self.servable


def load(base_path: str, name: str, parameters: batching.Parameters | None) -> Model:
    """Loads the newest version in a folder, warm-up included."""
    versions = [int(entry) for entry in os.listdir(base_path) if entry.isdecimal()]
    folder = pathlib.Path(base_path, str(max(versions)))
    return Model(name, Servable(folder, parameters))


def _signature_defs(folder) -> Mapping[str, meta_graph_pb2.SignatureDef]:
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    found = dict(saved.meta_graphs[0].signature_def)
    return {name: found[name] for name in found if not name.startswith("__")}


def _check_inputs(definition, inputs):
    wanted = definition.inputs
    if set(inputs) != set(wanted):
        raise status.Error(
            "INVALID_ARGUMENT",
            f"input size does not match signature: {len(inputs)}!={len(wanted)} len({{"
            f"{','.join(sorted(inputs))}}}) != len({{{','.join(sorted(wanted))}}}).",
        )
    for name, values in inputs.items():
        dtype = tf.as_dtype(wanted[name].dtype)
        if tf.as_dtype(values.dtype if values.dtype != object else tf.string) != dtype:
            raise status.Error(
                "INVALID_ARGUMENT", f"Expected input '{name}' to be {dtype.name}: {values.dtype}"
            )
        sizes = [None if d.size < 0 else d.size for d in wanted[name].tensor_shape.dim]
        if not tf.TensorShape(sizes).is_compatible_with(values.shape):
            raise status.Error(
                "INVALID_ARGUMENT",
                f"input must be of shape {sizes}, but '{name}' is {list(values.shape)}",
            )
