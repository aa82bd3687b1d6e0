# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Training batches from a tf.data service of real processes: a dispatcher and two workers."""

import contextlib
import functools
import itertools
import os
import re
import signal
import subprocess
import sys
import threading

import pytest
import tensorflow as tf

from official_cvrl import errors
from official_cvrl.data import augment, feed, order, pipeline, service, shares
from tests import imports
from tests.data import shards as tiny

_COUNTS = (3, 2, 3, 2)


@contextlib.contextmanager
def _running(*arguments, until):
    """Starts the command; gives the process and what it says as soon as that matches."""
    command = [sys.executable, "-m", "official_cvrl.data_service", *arguments]
    with subprocess.Popen(
        command, cwd=imports.ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            yield (
                process,
                next(filter(None, (re.search(until, line) for line in process.stdout)))[1],
            )
        finally:
            # With its own workers, and at once: told to end, it waits ten seconds for clients.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module", name="running")
def _service():
    """The address, and a worker to be killed; another one comes with the dispatcher."""
    with _running("--role=local", until="= '(.*)'") as (_, address):
        dispatcher = f"--dispatcher={address}"
        with _running("--role=worker", dispatcher, until="(ready)") as (worker, _):
            yield address, worker


@pytest.fixture(scope="module", name="shards")
def _shards(tmp_path_factory):
    return tiny.write(tmp_path_factory.mktemp("records"), *_COUNTS)


def _feed(data_dir, **changes):
    clip = {"num_frames": 2, "temporal_stride": 1, "crop_size": 8}
    arguments = {
        "data_dir": str(data_dir),
        "strategy": tf.distribute.get_strategy(),
        "global_batch_size": 2,
        "seed": 0,
        "train_input": functools.partial(
            pipeline.train_batches, augmentation=augment.crop_flip_only(), **clip
        ),
        "test_input": None,
        "probe_input": None,
        "train_split": "train",
        "test_split": "test",
    }
    return feed.Feed(**(arguments | changes))


def _clips(source, count):
    """Returns (label, pixels) of the videos of the first batches."""
    batches = itertools.islice(source.batches("train"), count)
    rows = (zip(batch["label"].numpy(), batch["clips"].numpy(), strict=True) for batch in batches)
    return [(label, clip.tobytes()) for label, clip in itertools.chain.from_iterable(rows)]


def test_every_example_comes_once_an_epoch_and_looks_as_without_a_service(running, shards):
    data_dir = shards.paths[0].rpartition("/")[0]
    served = _clips(_feed(data_dir, data_service=running[0]), 60)
    assert len(set(served)) == len(served)
    # Views are drawn from the epoch; workers that run ahead are some epochs ahead.
    assert set(served) < set(_clips(_feed(data_dir), 300))


def test_dealt_epochs_are_whole_and_begin_where_the_step_is(shards):
    own = shares.host_shards(shards, host=0, num_hosts=1)
    deal = functools.partial(
        order.dealt_epochs, own, compression="", seed=1, shuffle_buffer=3, rows_per_step=5
    )
    seen = [
        (epoch, serialized)
        for epoch, serialized in deal(start_step=2 + 1).take(60).as_numpy_iterator()
    ]
    assert len(set(seen)) == 60
    assert min(epoch for epoch, _ in seen) == 1
    counts = [sum(epoch == number for epoch, _ in seen) for number in range(7)]
    # Half of the first epoch's shards are skipped; the last ones are not over.
    assert counts[0] == 0
    assert 4 <= counts[1] <= 6
    assert counts[2:5] == [10] * 3
    assert [epoch for epoch, _ in seen] != sorted(epoch for epoch, _ in seen)
    orders = {tuple(s for e, s in seen if e == epoch) for epoch in (2, 3, 4)}
    assert len(orders) == 3


def test_a_fault_of_a_record_is_told_by_name(running, tmp_path):
    tiny.write(tmp_path, 2, video_1=[b"\xff\xd8\xff no more"] * 9)
    with pytest.raises(errors.UserError, match="split 'train' cannot be read.*video 1"):
        _clips(_feed(tmp_path, data_service=running[0]), 20)


def test_training_goes_on_when_a_worker_is_lost(running, shards):
    address, worker = running
    batches = iter(_feed(shards.paths[0].rpartition("/")[0], data_service=address).batches("train"))
    before = [next(batches) for _ in range(10)]
    worker.kill()
    after = [next(batches) for _ in range(60)]
    rows = [clip.tobytes() for batch in before + after for clip in batch["clips"].numpy()]
    assert len(set(rows)) == len(rows)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("localhost:5050", "has the form grpc://HOST:PORT"),
        ("grpc://localhost:1", "no dispatcher .* answers there .*--role=dispatcher"),
    ],
)
def test_an_address_without_a_service_is_refused_at_once(shards, address, words):
    with pytest.raises(errors.UserError, match=words):
        _feed(shards.paths[0].rpartition("/")[0], data_service=address)


def test_a_service_that_goes_during_training_is_noticed(monkeypatch):
    monkeypatch.setattr(service, "_PATIENCE_SECONDS", 0.2)
    released = threading.Event()
    batches = itertools.chain([1, 2], (released.wait() for _ in range(1)))
    served = service.while_answering(batches, "grpc://localhost:1")
    assert [next(served), next(served)] == [1, 2]
    with pytest.raises(errors.TryAgain, match="goes on from its newest checkpoint"):
        next(served)
    released.set()


def test_a_service_that_comes_back_is_waited_for(monkeypatch):
    monkeypatch.setattr(service, "_PATIENCE_SECONDS", 0.01)
    released, asked = threading.Event(), []

    def refuse_idle(address):
        asked.append(address)
        if len(asked) == 4:
            released.set()
        if len(asked) != 2:
            raise errors.UserError("no dispatcher answers")

    monkeypatch.setattr(service, "refuse_idle", refuse_idle)
    served = service.while_answering((released.wait() for _ in range(1)), "grpc://localhost:1")
    assert list(served) == [True]
    assert len(asked) >= 4


def test_a_service_without_workers_is_refused(shards):
    dispatcher = tf.data.experimental.service.DispatchServer()
    with pytest.raises(
        errors.UserError, match="no workers yet.*--role=worker --dispatcher=grpc://"
    ):
        service.refuse_idle(dispatcher.target)
