# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""PredictionService and ModelService over gRPC."""

import concurrent.futures

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tests.serving.model_server import servable, status

DEFAULT_SIGNATURE = "serving_default"


def start(model: servable.Model, *, port: int, threads: int, max_message_bytes: int):
    """Serves a model on a port of the loopback interface, 0 for a free one.

    Returns:
        The server and the port.
    """
    server = grpc.server(
        concurrent.futures.ThreadPoolExecutor(threads),
        options=[
            ("grpc.max_receive_message_length", max_message_bytes),
            ("grpc.max_send_message_length", max_message_bytes),
            ("grpc.so_reuseport", 0),
        ],
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_Prediction(model), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(_Models(model), server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, port


def model_status(model: servable.Model) -> get_model_status_pb2.GetModelStatusResponse:
    """Returns what both interfaces say of the versions."""
    answer = get_model_status_pb2.GetModelStatusResponse()
    version = answer.model_version_status.add(
        version=model.servable.version, state=get_model_status_pb2.ModelVersionStatus.AVAILABLE
    )
    version.status.error_message = ""
    return answer


def metadata(model: servable.Model) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """Returns what both interfaces say of the signatures."""
    answer = get_model_metadata_pb2.GetModelMetadataResponse()
    _fill_spec(answer.model_spec, model)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, definition in model.servable.signature_defs.items():
        signatures.signature_def[name].CopyFrom(definition)
    answer.metadata["signature_def"].Pack(signatures)
    return answer


class _Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, model):
        self._model = model

    def Predict(self, request, context):
        signature = request.model_spec.signature_name or DEFAULT_SIGNATURE
        try:
            found = _find(self._model, request.model_spec)
            inputs = {name: tf.make_ndarray(proto) for name, proto in request.inputs.items()}
            outputs = found.predict(signature, inputs, list(request.output_filter))
        except status.Error as error:
            context.abort(grpc.StatusCode[error.code], str(error))
        answer = predict_pb2.PredictResponse()
        _fill_spec(answer.model_spec, self._model)
        answer.model_spec.signature_name = signature
        for name, values in outputs.items():
            answer.outputs[name].CopyFrom(tf.make_tensor_proto(values))
        return answer

    def GetModelMetadata(self, request, context):
        try:
            _find(self._model, request.model_spec)
            if list(request.metadata_field) != ["signature_def"]:
                raise status.Error("INVALID_ARGUMENT", "Metadata field is not supported")
        except status.Error as error:
            context.abort(grpc.StatusCode[error.code], str(error))
        return metadata(self._model)


class _Models(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, model):
        self._model = model

    def GetModelStatus(self, request, context):
        try:
            _find(self._model, request.model_spec)
        except status.Error as error:
            context.abort(
                grpc.StatusCode[error.code],
                f"Could not find any versions of model {request.model_spec.name}",
            )
        return model_status(self._model)


def _find(model, spec):
    return model.find(spec.name, spec.version.value if spec.HasField("version") else None)


def _fill_spec(spec, model):
    spec.name = model.name
    spec.version.value = model.servable.version
