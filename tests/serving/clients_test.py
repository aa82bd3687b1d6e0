# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Clients against a server that speaks TensorFlow Serving's protocols over a real socket."""

import concurrent.futures
import contextlib
import json
import re
import threading
import time
import urllib.error
import urllib.request

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc

from official_cvrl import errors
from official_cvrl.serving import client, connect, extraction, patience
from tests.report import conftest as runs
from tests.serving import stand_in
from tests.serving.model_server import process

_MESSAGE_BYTES = 12 << 20
_BATCHING = """
max_batch_size { value: 8 }
batch_timeout_micros { value: 30000 }
num_batch_threads { value: 2 }
max_enqueued_batches { value: 100 }
"""
_WAYS = ("grpc", "rest")


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    stand_in.write(folder, version=2)
    config = folder / "batching.config"
    config.write_text(_BATCHING)
    with process.serving(
        folder,
        "--enable_batching",
        f"--batching_parameters_file={config}",
        f"--max_message_bytes={_MESSAGE_BYTES}",
    ) as server:
        yield server


@pytest.fixture(name="model", params=_WAYS)
def _model(request, server):
    with contextlib.closing(_connect(server, request.param)) as model:
        model.describe(timeout=30)
        yield model


def _connect(server, way, model_name="cvrl"):
    address = getattr(server, way)
    return connect.connect(server=address, model_name=model_name, connections=16)


def _clips(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 255, [*shape, 3], np.uint8)


def _embed(model, clips, timeout=30.0):
    return model.predict("serving_default", "clips", clips, output="embedding", timeout=timeout)


def _colour(clips):
    return clips.mean(axis=(1, 2, 3)) / 255


def test_signatures_are_described_alike(server):
    described = [_connect(server, way).describe(timeout=30) for way in _WAYS]
    assert described[0] == described[1]
    assert described[0].name == "cvrl 2"
    assert described[0].inputs == {
        "serving_default": {"clips": (None, 4, None, None, 3)},
        "encoded_frames": {"frames": (None, 4)},
    }


@pytest.mark.parametrize(("scheme", "other"), [("grpc", "rest"), ("http", "grpc")])
def test_the_port_of_the_other_protocol_is_no_absent_server(
    server, tmp_path, capsys, scheme, other
):
    address = getattr(server, other)
    model = connect.connect(server=f"{scheme}://{address.split('//')[1]}", model_name="cvrl")
    (tmp_path / "x.mp4").touch()
    with contextlib.closing(model), pytest.raises(errors.UserError) as caught:
        extraction.extract(model, [str(tmp_path / "x.mp4")], str(tmp_path / "x.npz"))
    assert caught.value.exit_code == 2
    assert f"answers, but not in {'gRPC' if scheme == 'grpc' else 'http'}'s" in str(caught.value)
    assert f"--server={address}" in str(caught.value)
    assert not capsys.readouterr().err, "it was asked again"


def test_warm_up_requests_were_replayed(server):
    assert server.warmed == 2


def test_pictures_and_pixels_give_what_they_should(model):
    clips = _clips(3, 4, 8, 9)
    np.testing.assert_allclose(_embed(model, clips), _colour(clips), atol=1e-6)
    frames = np.array([runs.frames(seed)[:4] for seed in (1, 2)], object)
    pixels = np.array([[tf.io.decode_jpeg(frame) for frame in clip] for clip in frames])
    found = model.predict("encoded_frames", "frames", frames, output="embedding", timeout=30)
    np.testing.assert_allclose(found, _colour(pixels), atol=1e-6)
    normalized = model.predict(
        "encoded_frames", "frames", frames, output="embedding_normalized", timeout=30
    )
    np.testing.assert_allclose(np.linalg.norm(normalized, axis=1), 1, atol=1e-6)


def test_a_clip_may_exceed_grpcs_four_megabytes(server):
    clips = _clips(1, 4, 80_000, 10)
    assert clips.nbytes > 2 * 4 << 20
    found = _embed(_connect(server, "grpc"), clips)
    np.testing.assert_allclose(found, _colour(clips), rtol=1e-3)


def test_a_message_larger_than_the_server_takes_is_refused(server):
    with pytest.raises(client.Refused, match="RESOURCE_EXHAUSTED.*larger"):
        _embed(_connect(server, "grpc"), _clips(1, 4, 80_000, 20))


def test_wrong_shapes_and_broken_pictures_are_refused(model):
    with pytest.raises(client.Refused, match="INVALID_ARGUMENT|400.*shape"):
        _embed(model, _clips(2, 5, 8, 8))
    with pytest.raises(client.Refused, match="INVALID_ARGUMENT|400"):
        broken = np.array([[b"no picture"] * 4], object)
        model.predict("encoded_frames", "frames", broken, output="embedding", timeout=30)


def test_what_is_not_served_is_refused(server, model):
    with pytest.raises(client.Refused, match="key .nothing. not found"):
        model.predict("nothing", "clips", _clips(1, 4, 8, 8), output="embedding", timeout=30)
    for way in _WAYS:
        with pytest.raises(client.Gone, match=r"404|NOT_FOUND.*Latest\(other\)"):
            _connect(server, way, model_name="other").describe(timeout=30)


def _batches(server):
    with urllib.request.urlopen(f"{server.rest}/tests/batches") as answer:
        return json.load(answer)


def test_requests_of_several_clients_are_one_batch_and_each_gets_its_rows(server, model):
    before = len(_batches(server)["serving_default"])
    requests = [_clips(count, 4, 8, 8, seed=seed) for seed, count in enumerate([1, 2, 3, 2] * 4)]
    with concurrent.futures.ThreadPoolExecutor(len(requests)) as pool:
        answers = list(pool.map(lambda clips: _embed(model, clips), requests))
    for clips, answer in zip(requests, answers, strict=True):
        np.testing.assert_allclose(answer, _colour(clips), atol=1e-6)
    sizes = _batches(server)["serving_default"][before:]
    assert sum(sizes) == 32
    assert 3 < max(sizes) <= 8, sizes  # No request has more than three.
    assert len(sizes) < len(requests)


def test_clips_of_two_sizes_spoil_a_batch_unless_asked_again(server):
    """So clips go as JPEGs, which all have one shape."""
    model = _connect(server, "grpc")
    requests = [_clips(2, 4, size, 8) for size in (8, 9)] * 2
    with concurrent.futures.ThreadPoolExecutor(len(requests)) as pool:
        faults = [pool.submit(_embed, model, clips).exception for clips in requests]
        said = {str(fault()) for fault in faults} - {"None"}
    assert said
    assert all("different shapes and padding is turned off" in words for words in said)


def test_a_server_that_restarts_is_waited_for_and_no_answer_is_lost(server):
    said = []
    models = [_connect(server, way) for way in _WAYS]
    patient = patience.Patience(60, say=said.append)
    answered = threading.Event()

    def ask(seed):
        clips = _clips(1, 4, 8, 8, seed=seed)
        found = patient.ask(lambda: _embed(models[seed % 2], clips, timeout=5.0))
        np.testing.assert_allclose(found, _colour(clips), atol=1e-6)
        answered.set()

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask, seed) for seed in range(60)]
        assert answered.wait(60)
        server.restart()
        assert [one.result() for one in asked] == [None] * 60
    assert said


def test_no_answer_in_time_is_no_fault_of_the_request(model):
    error, attempts = None, 0
    while error is None and attempts < 20:
        # On a busy machine an answer can be there before anybody began to wait for it.
        start, attempts = time.monotonic(), attempts + 1
        try:
            _embed(model, _clips(1, 4, 8, 8), timeout=0.01)  # Batches are collected for longer.
        except client.Unavailable as unavailable:
            error = unavailable
    assert re.search("DEADLINE_EXCEEDED|Timeout", str(error))
    assert time.monotonic() - start < 5


def test_model_status(server):
    with grpc.insecure_channel(server.grpc.removeprefix("grpc://")) as channel:
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = "cvrl"
        (over_grpc,) = stub.GetModelStatus(request).model_version_status
        assert (over_grpc.version, over_grpc.state) == (2, over_grpc.AVAILABLE)
        request.model_spec.name = "other"
        with pytest.raises(grpc.RpcError, match="NOT_FOUND"):
            stub.GetModelStatus(request)
    (over_rest,) = _get(server, "/v1/models/cvrl")[1]["model_version_status"]
    status = {"error_code": "OK", "error_message": ""}
    assert over_rest == {"version": "2", "state": "AVAILABLE", "status": status}


def _get(server, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(server.rest + path, data) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_rows_and_columns_over_rest(server):
    clips = _clips(2, 4, 8, 8)
    for path in ("/v1/models/cvrl:predict", "/v1/models/cvrl/versions/2:predict"):
        for body in (
            {"instances": clips.tolist()},
            {"instances": [{"clips": clip} for clip in clips.tolist()]},
            {"inputs": clips.tolist()},
            {"inputs": {"clips": clips.tolist()}, "signature_name": "serving_default"},
        ):
            code, answer = _get(server, path, body)
            (kind,) = answer
            assert (code, kind) == (200, "outputs" if "inputs" in body else "predictions")
            np.testing.assert_allclose(answer[kind], _colour(clips), atol=1e-6)


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/v1/models/other", None, 404),
        ("/v1/models/cvrl/versions/1/metadata", None, 404),
        ("/v1/models/cvrl:predict", {}, 400),
        ("/v1/models/cvrl:predict", {"instances": [1], "inputs": [1]}, 400),
        ("/v1/models/cvrl:predict", {"inputs": "text"}, 400),
        ("/v1/models/cvrl:predict", {"inputs": [], "signature_name": "nothing"}, 412),
        ("/v2", None, 400),
    ],
)
def test_errors_over_rest_are_json(server, path, body, code):
    found, answer = _get(server, path, body)
    assert found == code
    assert list(answer) == ["error"]
