# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The bytes of a PredictRequest, written around those of its tensor: raw clips are copied once.

TensorFlow Serving's own classes would copy them four times: into bytes, into a TensorProto, into
the map of inputs, and when all is serialized.
"""

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import model_pb2, predict_pb2

_INPUTS = predict_pb2.PredictRequest.INPUTS_FIELD_NUMBER
_CONTENT = tensor_pb2.TensorProto.TENSOR_CONTENT_FIELD_NUMBER
# Of an entry in any map of protocol buffers.
_KEY, _VALUE = 1, 2
_LENGTH_DELIMITED = 2  # The wire type of bytes, strings and messages.


def serialized(spec: model_pb2.ModelSpec, name: str, values: np.ndarray, *, output: str) -> bytes:
    """Returns what a `predict_pb2.PredictRequest` with one input and one output serializes to.

    Args:
        spec: the model and its signature.
        name: of the input.
        values: the input: numbers in this machine's byte order, which is little-endian wherever
            TensorFlow runs, or object of bytes.
        output: which output is wanted.
    """
    head = predict_pb2.PredictRequest(model_spec=spec).SerializeToString()
    tail = predict_pb2.PredictRequest(output_filter=[output]).SerializeToString()
    tensor, content = _tensor(values)
    tensor += _start(_CONTENT, content.nbytes) if content.size else b""
    key = _start(_KEY, len(name.encode())) + name.encode()
    value = _start(_VALUE, len(tensor) + content.nbytes) + tensor
    entry = _start(_INPUTS, len(key) + len(value) + content.nbytes) + key + value
    return b"".join([head, entry, content, tail])


def _tensor(values):
    """A serialized TensorProto but for its content, and the content as uint8 [num_bytes]."""
    shape = tf.TensorShape(values.shape).as_proto()
    if values.dtype == object:
        strings = values.ravel().tolist()
        kind, content = tf.string, np.empty([0], np.uint8)
    else:
        strings = []
        kind, flat = tf.as_dtype(values.dtype), np.ascontiguousarray(values).reshape(-1)
        content = flat.view(np.uint8)
    proto = tensor_pb2.TensorProto(
        dtype=kind.as_datatype_enum, tensor_shape=shape, string_val=strings
    )
    return proto.SerializeToString(), content


def _start(field, num_bytes):
    """What precedes a field of so many bytes."""
    return _varint(field << 3 | _LENGTH_DELIMITED) + _varint(num_bytes)


def _varint(number):
    """Seven bits a byte, the lowest first; the eighth says that more follow."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])
