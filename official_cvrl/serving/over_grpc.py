# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A model behind TensorFlow Serving's gRPC interface."""

import re

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    model_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from official_cvrl.serving import client, predict_request

# Raw clips exceed the 4 MiB that gRPC allows unless told otherwise. A server that came back is
# noticed within these milliseconds.
_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
]
_NO_FAULT_OF_THE_REQUEST = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
    # Connections that were cut in the middle of an answer.
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
}
# A full queue, a quota and memory are exhausted for a while, but a limit on messages for ever. By
# the words of gRPC in C++, Python and Go, and in Java.
_TOO_LARGE = re.compile("larger than max|exceeds maximum size")
# How gRPC tells of a server that answers it in HTTP/1.
_OTHER_PROTOCOL = re.compile(r"http1\.x server|Failed parsing HTTP/2")


class OverGrpc(client.Client):
    """A model of a server.

    Args:
        address: HOST:PORT.
        model_name: that the server has it by.
    """

    def __init__(self, address: str, *, model_name: str):
        self._spec = model_pb2.ModelSpec(name=model_name)
        self._address = address
        self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        self._service = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._predict = self._channel.unary_unary(  # As the service's, but of serialized requests.
            "/tensorflow.serving.PredictionService/Predict",
            response_deserializer=predict_pb2.PredictResponse.FromString,
        )

    def describe(self, *, timeout: float) -> client.Description:
        """See the base class."""
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=self._spec, metadata_field=["signature_def"]
        )
        with client.telling_other_protocol(_OTHER_PROTOCOL, _hint(self._address)):
            answer = _ask(self._service.GetModelMetadata, request, timeout)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        answer.metadata["signature_def"].Unpack(signatures)
        self._spec.version.value = answer.model_spec.version.value
        inputs = {
            signature: {name: _shape(info) for name, info in definition.inputs.items()}
            for signature, definition in signatures.signature_def.items()
        }
        return client.Description(f"{self._spec.name} {self._spec.version.value}", inputs)

    def predict(
        self, signature: str, name: str, values: np.ndarray, *, output: str, timeout: float
    ) -> np.ndarray:
        """See the base class."""
        spec = model_pb2.ModelSpec(signature_name=signature)
        spec.MergeFrom(self._spec)
        request = predict_request.serialized(spec, name, values, output=output)
        return tf.make_ndarray(_ask(self._predict, request, timeout).outputs[output])

    def close(self) -> None:
        """See the base class."""
        self._channel.close()


def _ask(method, request, timeout):
    try:
        return method(request, timeout=timeout)
    except grpc.RpcError as error:
        raise _kind(error)(f"{error.code().name}: {error.details()}") from error


def _hint(address):
    return (
        f"{address} answers, but not in gRPC's protocol. If it is the port of REST, give "
        f"--server=http://{address}; that of gRPC is 8500 unless the server was told otherwise."
    )


def _kind(error):
    code = error.code()
    if code == grpc.StatusCode.NOT_FOUND:
        return client.Gone
    if code == grpc.StatusCode.RESOURCE_EXHAUSTED and not _TOO_LARGE.search(error.details() or ""):
        return client.Unavailable
    return client.Unavailable if code in _NO_FAULT_OF_THE_REQUEST else client.Refused


def _shape(info):
    return tuple(None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim)
