# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The bytes are those that TensorFlow Serving's own classes write, and read back."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import model_pb2, predict_pb2

from official_cvrl.serving import predict_request

_SPEC = model_pb2.ModelSpec(name="ü", signature_name="serving_default", version={"value": 300})
_DRAWN = np.random.default_rng(0).integers(0, 256, [2, 3, 50, 70, 3], np.uint8)
_BYTES = [[b"\xff\xd8", b""], [b"x" * 300, b"\0"]]


@pytest.mark.parametrize(
    "values",
    [
        _DRAWN,  # The lengths take three bytes.
        _DRAWN[:, :, ::2, 5:, ::-1],
        np.arange(7, dtype=np.int64)[::2],
        np.array(1.5, np.float32),
        np.zeros([0, 4, 5, 5, 3], np.uint8),
        np.array([[True, False]]),
        _DRAWN[0].astype(tf.bfloat16.as_numpy_dtype),
        np.array(_BYTES, object),
        np.zeros([0, 4], object),
    ],
    ids=lambda values: f"{values.dtype}{list(values.shape)}",
)
def test_the_bytes_are_those_of_their_own_classes(values):
    written = predict_request.serialized(_SPEC, "clips", values, output="embedding")
    tensor = tensor_pb2.TensorProto(
        dtype=tf.as_dtype(values.dtype).as_datatype_enum,
        tensor_shape=tf.TensorShape(values.shape).as_proto(),
        **(
            {"string_val": values.ravel().tolist()}
            if values.dtype == object
            else {"tensor_content": values.tobytes()}
        ),
    )
    expected = predict_pb2.PredictRequest(
        model_spec=_SPEC, inputs={"clips": tensor}, output_filter=["embedding"]
    )
    read = predict_pb2.PredictRequest.FromString(written)
    assert read == expected
    assert written == expected.SerializeToString(deterministic=True)
    np.testing.assert_array_equal(tf.make_ndarray(read.inputs["clips"]), values)
