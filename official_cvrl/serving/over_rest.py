# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A model behind TensorFlow Serving's REST interface."""

import base64
import contextlib
import json
import re
import urllib.parse

import numpy as np
import urllib3

from official_cvrl.serving import client

_CONNECT_SECONDS = 10.0
_LONGEST_PAGE = 200
# How urllib3 tells of a server that greets with HTTP/2's first frame, its settings, and of one that
# does not encrypt where https:// was given.
_OTHER_PROTOCOL = re.compile(r"BadStatusLine\('\\x00\\x00|WRONG_VERSION_NUMBER")
_NO_FAULT_OF_THE_REQUEST = {408, 409, 429, 499, 500, 502, 503, 504}


class OverRest(client.Client):
    """A model of a server.

    Args:
        address: http://HOST:PORT or https://HOST:PORT, with a path before /v1 if there is one.
        model_name: that the server has it by.
        connections: how many to keep open.
    """

    def __init__(self, address: str, *, model_name: str, connections: int = 1):
        self._name, self._address = model_name, address
        self._url = f"{address.rstrip('/')}/v1/models/{urllib.parse.quote(model_name, safe='')}"
        self._pool = urllib3.PoolManager(maxsize=connections, block=True, retries=False)

    def describe(self, *, timeout: float) -> client.Description:
        """See the base class."""
        with client.telling_other_protocol(_OTHER_PROTOCOL, _hint(self._address)):
            answer = self._ask("GET", f"{self._url}/metadata", timeout=timeout)
        with _read_as_tensorflow_serving(self._url):
            version = answer["model_spec"]["version"]
            signatures = answer["metadata"]["signature_def"]["signature_def"]
            inputs = {
                signature: {name: _shape(info) for name, info in definition["inputs"].items()}
                for signature, definition in signatures.items()
            }
        if "/versions/" not in self._url:
            self._url = f"{self._url}/versions/{version}"
        return client.Description(f"{self._name} {version}", inputs)

    def predict(
        self, signature: str, name: str, values: np.ndarray, *, output: str, timeout: float
    ) -> np.ndarray:
        """See the base class."""
        body = {"signature_name": signature, "inputs": {name: _jsonable(values)}}
        answer = self._ask("POST", f"{self._url}:predict", body, timeout=timeout)
        with _read_as_tensorflow_serving(self._url):
            found = answer["outputs"]
            # A signature's only output comes without its name.
            return np.asarray(found[output] if isinstance(found, dict) else found, np.float32)

    def close(self) -> None:
        """See the base class."""
        self._pool.clear()

    def _ask(self, method, url, body=None, *, timeout):
        try:
            answer = self._pool.request(
                method,
                url,
                body=None if body is None else json.dumps(body).encode(),
                headers={"Content-Type": "application/json"},
                timeout=urllib3.Timeout(connect=min(timeout, _CONNECT_SECONDS), read=timeout),
            )
        except urllib3.exceptions.HTTPError as error:
            raise client.Unavailable(f"{type(error).__name__}: {error}") from error
        if answer.status != 200:
            raise _kind(answer.status)(f"{answer.status}: {_words(answer.data)}")
        try:
            return json.loads(answer.data)
        except ValueError as error:  # Of something before the server, which may step aside.
            raise client.Unavailable(f"no JSON from {url}: {_words(answer.data)}") from error


def _hint(address):
    scheme, place = address.split("/")[0].rstrip(":"), address.split("/")[2]
    return (
        f"{place} answers, but not in {scheme}'s protocol. If it is the port of gRPC, give "
        f"--server=grpc://{place}; that of REST, which --server=http:// is for, is 8501 unless the "
        "server was told otherwise."
    )


def _kind(status):
    if status == 404:
        return client.Gone
    return client.Unavailable if status in _NO_FAULT_OF_THE_REQUEST else client.Refused


def _words(data):
    """What an answer says: TensorFlow Serving's error, or the text of a proxy's page."""
    text = data.decode(errors="replace")
    try:
        return str(json.loads(text)["error"])
    except (ValueError, TypeError, KeyError):
        words = " ".join(re.sub("<[^>]*>", " ", text).split())
        return words[:_LONGEST_PAGE] or "nothing"


@contextlib.contextmanager
def _read_as_tensorflow_serving(url):
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise client.Refused(
            f"{url} does not answer as TensorFlow Serving does ({type(error).__name__}: {error})"
        ) from error


def _shape(info):
    sizes = [int(dim["size"]) for dim in info["tensor_shape"].get("dim", [])]
    return tuple(None if size < 0 else size for size in sizes)


def _jsonable(values):
    if values.dtype != object:
        return values.tolist()
    if values.ndim > 1:
        return [_jsonable(row) for row in values]
    return [{"b64": base64.b64encode(value).decode()} for value in values]
