# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Reads a batching.config; tensorflow-serving-api does not bring its message."""

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)

from tests.serving.model_server import batching

_NAME = "BatchingParameters"
# Name, number, type; of session_bundle_config.proto in TensorFlow Serving.
_WRAPPED = {
    "max_batch_size": (1, "Int64Value"),
    "batch_timeout_micros": (2, "Int64Value"),
    "max_enqueued_batches": (3, "Int64Value"),
    "num_batch_threads": (4, "Int64Value"),
    "thread_pool_name": (5, "StringValue"),
}
_ALLOWED = ("allowed_batch_sizes", 6)


def parse(text: str) -> batching.Parameters:
    """Returns the parameters that a file's text gives.

    Raises:
        text_format.ParseError: a name that is none, or no text of a message.
    """
    config = _message()()
    text_format.Parse(text, config)
    return batching.Parameters(
        max_batch_size=config.max_batch_size.value,
        batch_timeout_micros=config.batch_timeout_micros.value,
        num_batch_threads=config.num_batch_threads.value,
        max_enqueued_batches=config.max_enqueued_batches.value,
        allowed_batch_sizes=tuple(config.allowed_batch_sizes),
    )


def _message():
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="batching_config.proto", syntax="proto3", dependency=[wrappers_pb2.DESCRIPTOR.name]
    )
    message = file.message_type.add(name=_NAME)
    for name, (number, wrapper) in _WRAPPED.items():
        message.field.add(
            name=name,
            number=number,
            type=field.TYPE_MESSAGE,
            label=field.LABEL_OPTIONAL,
            type_name=f".google.protobuf.{wrapper}",
        )
    name, number = _ALLOWED
    message.field.add(name=name, number=number, type=field.TYPE_INT64, label=field.LABEL_REPEATED)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(_NAME))
