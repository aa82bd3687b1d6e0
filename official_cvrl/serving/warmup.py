# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Requests that TensorFlow Serving answers for itself before it takes any from outside."""

import os
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2

# Where TensorFlow Serving looks for them, below a version's folder.
FILE = os.path.join("assets.extra", "tf_serving_warmup_requests")


def write(
    saved_model: str, requests: Mapping[str, Mapping[str, np.ndarray]], *, model_name: str
) -> None:
    """Writes the warm-up requests of a SavedModel, one PredictionLog a signature.

    Args:
        saved_model: folder of a version.
        requests: by signature, the inputs by name.
        model_name: that the requests name.
    """
    path = os.path.join(saved_model, FILE)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with tf.io.TFRecordWriter(path) as writer:
        for signature, inputs in requests.items():
            writer.write(_log(model_name, signature, inputs).SerializeToString())


def _log(model_name, signature, inputs):
    request = predict_pb2.PredictRequest(
        model_spec=model_pb2.ModelSpec(name=model_name, signature_name=signature),
        inputs={name: tf.make_tensor_proto(values) for name, values in inputs.items()},
    )
    return prediction_log_pb2.PredictionLog(
        predict_log=prediction_log_pb2.PredictLog(request=request)
    )
