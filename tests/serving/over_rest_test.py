# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What stands between client and server may answer in its place, in other words than JSON."""

import contextlib
import http.server
import threading

import numpy as np
import pytest

from official_cvrl.serving import client, over_rest

_PAGE = b"<html><title>502 Bad\nGateway</title><body><hr>nginx</body></html>"
_METADATA = (
    b'{"model_spec": {"version": "3"}, "metadata": {"signature_def": {"signature_def": {}}}}'
)


@pytest.fixture(name="answering")
def _answering():
    """A server with one answer to everything."""
    with contextlib.ExitStack() as stack:

        def start(status, body):
            class Handler(http.server.BaseHTTPRequestHandler):
                def do_GET(self):
                    self.rfile.read(int(self.headers.get("Content-Length", 0)))
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

                do_POST = do_GET

                def log_message(self, *_):
                    """Says nothing of requests."""

            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            model = over_rest.OverRest(f"http://127.0.0.1:{server.server_port}", model_name="cvrl")
            return stack.enter_context(contextlib.closing(model))

        yield start


def _predict(model):
    return model.predict(
        "serving_default", "clips", np.zeros([1, 1], np.uint8), output="embedding", timeout=10
    )


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (502, _PAGE, client.Unavailable, "502: 502 Bad Gateway nginx"),
        (413, _PAGE, client.Refused, "413: 502 Bad Gateway nginx"),
        (404, b"default backend - 404", client.Gone, "404: default backend - 404"),
        (404, b'{"error": "Servable not found"}', client.Gone, "404: Servable not found"),
        (400, b'["a", "list"]', client.Refused, r'400: \["a", "list"\]'),
        (500, b"", client.Unavailable, "500: nothing"),
        (500, b"\xff" * 999, client.Unavailable, "^500: \ufffd{200}$"),
        (200, _PAGE, client.Unavailable, "no JSON from http.*: 502 Bad Gateway nginx"),
        (200, b"[]", client.Refused, "does not answer as TensorFlow Serving does"),
        (200, b'{"metadata": 1}', client.Refused, "does not answer as TensorFlow Serving does"),
    ],
)
def test_the_status_is_believed_before_the_body(answering, status, body, kind, said):
    model = answering(status, body)
    for ask in (lambda: model.describe(timeout=10), lambda: _predict(model)):
        with pytest.raises(client.Refused if kind is not client.Unavailable else kind) as caught:
            ask()
        assert type(caught.value) is kind
        caught.match(said)


@pytest.mark.parametrize("outputs", [b'"words"', b'{"other": [[1]]}', b"[[1], [1, 2]]"])
def test_an_answer_without_the_embedding_is_none(answering, outputs):
    model = answering(200, b'{"outputs": %s}' % outputs)
    with pytest.raises(client.Refused, match="as TensorFlow Serving does"):
        _predict(model)


def test_questions_after_the_description_name_its_version(answering):
    model = answering(200, _METADATA)
    assert (
        model.describe(timeout=10) == model.describe(timeout=10) == client.Description("cvrl 3", {})
    )
    with pytest.raises(client.Refused, match="/v1/models/cvrl/versions/3 does not"):
        _predict(model)
