# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Batches that are made by the workers of a tf.data service instead of this process."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from concurrent import futures

import grpc
import tensorflow as tf

from official_cvrl import errors

_ADDRESS = re.compile(r"^grpc://[^/:]+:[0-9]+$")
_GET_WORKERS = "/tensorflow.data.DispatcherService/GetWorkers"
_PATIENCE_SECONDS = 10
# One answer may be lost, and a worker that is started again is back within a minute.
_TRIES = 6
_END = object()
_START = "python -m official_cvrl.data_service --role"


def refuse_absent(address: str) -> None:
    """Asks for an answer, since TensorFlow would wait an hour for one without a word.

    Args:
        address: `grpc://HOST:PORT` of the dispatcher.

    Raises:
        UserError: the address is none, or no dispatcher answers there.
    """
    _workers(address)


def refuse_idle(address: str) -> None:
    """Asks for workers, without which TensorFlow would wait for ever.

    Raises:
        UserError: there are none, or as `refuse_absent`.
    """
    if not _workers(address):
        raise errors.UserError(
            f"data service {address!r} has no workers yet, so nothing would come; on each machine "
            f"that is to help: {_START}=worker --dispatcher={address}"
        )


def made_by_workers(dataset: tf.data.Dataset, address: str) -> tf.data.Dataset:
    """Has the workers run a dataset, each on the share of its source that it is dealt.

    Every element of the source goes to one worker: an example comes once an epoch as long as no
    worker is lost, and at most once otherwise.

    Args:
        dataset: made of a source that can be dealt out, see `order.dealt_epochs`.
        address: `grpc://HOST:PORT` of the dispatcher.
    """
    served = tf.data.experimental.service.distribute(
        processing_mode=tf.data.experimental.service.ShardingPolicy.DYNAMIC, service=address
    )
    return dataset.apply(served).prefetch(tf.data.AUTOTUNE)


def while_answering(batches: Iterable, address: str) -> Iterator:
    """Yields batches; where none comes, asks whether the service is still there.

    TensorFlow waits inside its own code, which neither notices a service that is gone nor lets a
    signal through. So each batch is waited for in a thread beside.

    Raises:
        TryAgain: no batch came for a minute, and the dispatcher is gone or has no workers.
    """
    iterator = iter(batches)
    while True:
        coming = futures.Future()
        threading.Thread(target=_fetch, args=(iterator, coming), daemon=True).start()
        tries = _TRIES
        while not futures.wait([coming], timeout=_PATIENCE_SECONDS).done:
            tries = _TRIES if _is_busy(address, last=tries == 1) else tries - 1
        batch = coming.result()
        if batch is _END:
            return
        yield batch


def _is_busy(address, *, last):
    try:
        refuse_idle(address)
    except errors.UserError as error:
        if last:
            raise errors.TryAgain(str(error)) from error
        return False
    return True


def _fetch(iterator, coming):
    try:
        coming.set_result(next(iterator, _END))
    except BaseException as error:
        coming.set_exception(error)


def _workers(address: str) -> bytes:
    """Returns the dispatcher's answer as it comes over the wire: nothing if there are none."""
    if not _ADDRESS.match(address):
        raise errors.UserError(
            f"data service {address!r}: an address has the form grpc://HOST:PORT."
        )
    with grpc.insecure_channel(address.removeprefix("grpc://")) as channel:
        ask = channel.unary_unary(_GET_WORKERS)
        try:
            return ask(b"", timeout=_PATIENCE_SECONDS)
        except grpc.RpcError as error:
            raise errors.UserError(
                f"data service {address!r}: no dispatcher of a tf.data service answers there "
                f"({error.details()}). Start one ({_START}=dispatcher), or train without; "
                "a run goes on from its newest checkpoint."
            ) from error
