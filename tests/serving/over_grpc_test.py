# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Which refusals are the request's fault, which a reason to ask again, which the end."""

import concurrent.futures
import contextlib

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import prediction_service_pb2_grpc

from official_cvrl.serving import client, over_grpc


class _Refusing(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self):
        self.words = ()

    def Predict(self, request, context):
        context.abort(*self.words)


@pytest.fixture(scope="module", name="server")
def _server():
    service = _Refusing()
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    with contextlib.closing(over_grpc.OverGrpc(address, model_name="cvrl")) as model:
        yield service, model
    server.stop(0)


@pytest.mark.parametrize(
    ("code", "details", "kind"),
    [
        ("UNAVAILABLE", "The batch scheduling queue is full", client.Unavailable),
        ("DEADLINE_EXCEEDED", "", client.Unavailable),
        ("INTERNAL", "GPU lost", client.Unavailable),
        ("RESOURCE_EXHAUSTED", "OOM when allocating tensor", client.Unavailable),
        ("RESOURCE_EXHAUSTED", "", client.Unavailable),
        ("RESOURCE_EXHAUSTED", "Received message larger than max (9 vs. 4)", client.Refused),
        ("RESOURCE_EXHAUSTED", "gRPC message exceeds maximum size 4: 9", client.Refused),
        ("INVALID_ARGUMENT", "shape", client.Refused),
        ("NOT_FOUND", "Servable not found for request: Specific(cvrl, 1)", client.Gone),
    ],
)
def test_what_a_code_means(server, code, details, kind):
    service, model = server
    service.words = grpc.StatusCode[code], details
    with pytest.raises(Exception, match=code) as caught:
        model.predict("x", "clips", np.zeros([1], np.uint8), output="embedding", timeout=10)
    assert type(caught.value) is kind
    assert details in str(caught.value)
