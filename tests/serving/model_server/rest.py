# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The REST interface, as TensorFlow Serving's page on it says."""

import base64
import contextlib
import http.server
import inspect
import json
import re
import threading

import numpy as np
import tensorflow as tf
from google.protobuf import json_format

from tests.serving.model_server import grpc_service, servable, status

# Sizes of the batches that were run, by signature; the one thing that is not TensorFlow Serving's.
BATCHES = "/tests/batches"
# protobuf 5 renamed the option that has fields written which hold their default.
_WITH_DEFAULTS = {
    name: True
    for name in ("always_print_fields_with_no_presence", "including_default_value_fields")
    if name in inspect.signature(json_format.MessageToDict).parameters
}
_PATH = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+))?(?:(/metadata)|:(\w+))?")


def start(model: servable.Model, *, port: int):
    """Serves a model on a port of the loopback interface, 0 for a free one.

    Returns:
        The server and the port.
    """
    handler = type("Handler", (_Handler,), {"model": model})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, server.server_address[1]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    model: servable.Model

    def do_GET(self):
        self._answer(self._get)

    def do_POST(self):
        self._answer(self._post)

    def log_message(self, *_):
        """Says nothing of requests."""

    def _answer(self, method):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            code, answer = 200, method(body)
        except status.Error as error:
            code, answer = status.HTTP[error.code], {"error": str(error)}
        data = json.dumps(answer, indent=1).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # Who asked has gone.
            self.wfile.write(data)

    def _find(self):
        found = _PATH.fullmatch(self.path)
        if not found:
            raise status.Error("INVALID_ARGUMENT", f"Malformed request: {self.command} {self.path}")
        name, version, metadata, verb = found.groups()
        return self.model.find(name, int(version) if version else None), metadata, verb

    def _get(self, _):
        if self.path == BATCHES:
            batchers = self.model.servable.batchers
            return {signature: batcher.sizes for signature, batcher in batchers.items()}
        _, metadata, verb = self._find()
        if verb:
            raise status.Error("INVALID_ARGUMENT", f"Malformed request: GET {self.path}")
        if not metadata:
            return _as_json(grpc_service.model_status(self.model))
        answer = grpc_service.metadata(self.model)
        return {
            "model_spec": _as_json(answer.model_spec),
            "metadata": {"signature_def": _signatures(self.model.servable)},
        }

    def _post(self, body):
        found, _, verb = self._find()
        if verb != "predict":
            raise status.Error("INVALID_ARGUMENT", f"Malformed request: POST {self.path}")
        request = _parse(body)
        signature = request.get("signature_name", grpc_service.DEFAULT_SIGNATURE)
        specs = found.definition(signature).inputs
        if ("instances" in request) == ("inputs" in request):
            raise status.Error(
                "INVALID_ARGUMENT", "JSON Value must have exactly one of 'instances' and 'inputs'"
            )
        if "inputs" in request:
            inputs = _columns(request["inputs"], specs)
            return {"outputs": _only(_plain(found.predict(signature, inputs)))}
        outputs = _plain(found.predict(signature, _rows(request["instances"], specs)))
        rows = [dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)]
        return {"predictions": [_only(row) for row in rows]}


def _parse(body):
    try:
        request = json.loads(body)
    except ValueError as error:
        raise status.Error("INVALID_ARGUMENT", f"JSON Parse error: {error}") from error
    if not isinstance(request, dict):
        raise status.Error("INVALID_ARGUMENT", "JSON Value: is not object")
    return request


def _columns(inputs, specs):
    if not isinstance(inputs, dict) or set(inputs) == {"b64"}:
        inputs = dict.fromkeys(specs, inputs)
    return {name: _tensor(values, specs.get(name)) for name, values in inputs.items()}


def _rows(instances, specs):
    named = isinstance(instances[0], dict) and set(instances[0]) != {"b64"}
    if not named:
        return {name: _tensor(instances, spec) for name, spec in specs.items()}
    return {
        name: _tensor([row[name] for row in instances], specs.get(name)) for name in instances[0]
    }


def _tensor(values, spec):
    try:
        if spec is not None and spec.dtype != tf.string.as_datatype_enum:
            return np.array(values, tf.as_dtype(spec.dtype).as_numpy_dtype)
        return np.array(_decoded(values), object)
    except (TypeError, ValueError, OverflowError) as error:
        raise status.Error("INVALID_ARGUMENT", f"JSON Value: {error}") from error


def _decoded(values):
    if isinstance(values, list):
        return [_decoded(value) for value in values]
    if isinstance(values, dict):
        return base64.b64decode(values["b64"], validate=True)
    if not isinstance(values, str):
        raise TypeError(f"{values!r} is no string")
    return values.encode()


def _plain(outputs):
    """Outputs as lists; bytes as text, or as base64 where the name says that they are bytes."""
    return {name: _plain_values(name, values.tolist()) for name, values in outputs.items()}


def _plain_values(name, values):
    if isinstance(values, list):
        return [_plain_values(name, value) for value in values]
    if isinstance(values, bytes):
        if name.endswith("_bytes"):
            return {"b64": base64.b64encode(values).decode()}
        return values.decode()
    # The digits that float32 has; tolist() has made it a double of many more.
    return float(str(np.float32(values))) if isinstance(values, float) else values


def _only(outputs):
    return next(iter(outputs.values())) if len(outputs) == 1 else outputs


def _as_json(message):
    return json_format.MessageToDict(message, preserving_proto_field_name=True, **_WITH_DEFAULTS)


def _signatures(found):
    definitions = {name: _as_json(value) for name, value in found.signature_defs.items()}
    return {"@type": "type.googleapis.com/tensorflow.serving.SignatureDefMap"} | {
        "signature_def": definitions
    }
