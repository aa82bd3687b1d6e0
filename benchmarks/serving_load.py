# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Many requests by many clients while the server restarts and the network fails: none is lost.

    python -m benchmarks.serving_load --output=DIR

The server is the tests', on this machine; the model is a tiny one, the answers are compared.
"""

import concurrent.futures
import contextlib
import json
import os
import subprocess
import sys
import threading
import time

import official_cvrl  # noqa: F401  isort: skip  (selects legacy Keras before TensorFlow is imported)
import numpy as np
import tensorflow as tf
from absl import app, flags, logging

from benchmarks import outcome, turns
from official_cvrl import commands
from official_cvrl.serving import connect, export, patience
from tests.report import conftest as runs
from tests.serving.model_server import process

_OUTPUT = flags.DEFINE_string(
    "output", None, "Folder for serving_load.json and .md.", required=True
)
_REQUESTS = flags.DEFINE_integer("requests", 10_000, "How many.")
_CLIENTS = flags.DEFINE_integer("clients", 32, "At once; half over gRPC, half over REST.")
_RESTART_SECONDS = flags.DEFINE_float("restart_seconds", 6.0, "From one restart to the next.")

_TIMEOUT, _PATIENCE = 2.0, 120.0
_NUM_INPUTS = 64
_TOLERANCE = 1e-5
_BATCHING = """
max_batch_size { value: 16 }
batch_timeout_micros { value: 2000 }
num_batch_threads { value: 2 }
max_enqueued_batches { value: 100 }
"""


def main(unused_argv):
    """Runs the load and prints what came of it."""
    logging.set_verbosity(logging.ERROR)
    tf.get_logger().setLevel("ERROR")
    os.makedirs(_OUTPUT.value, exist_ok=True)
    folder = os.path.join(_OUTPUT.value, "model")
    if not os.path.exists(folder):
        run = runs.write_run(os.path.join(_OUTPUT.value, "run"), data_dir="nowhere")
        runs.write_checkpoint(run)
        export.export(run, folder)
    config = os.path.join(_OUTPUT.value, "batching.config")
    with open(config, "w", encoding="utf-8") as file:
        file.write(_BATCHING)
    inputs = [np.array([runs.frames(seed)[:4]], object) for seed in range(_NUM_INPUTS)]
    expected = [_ask(connect.connect(saved_model=folder), clips) for clips in inputs]
    flags_given = ["--enable_batching", f"--batching_parameters_file={config}"]
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(process.serving(folder, *flags_given))
        load = _Load(server, inputs, expected, stack)
        stack.enter_context(load.restarts())
        _report(load, load.run())


class _Load:
    """Clients, and what they were answered."""

    def __init__(self, server, inputs, expected, stack):
        self._server, self._inputs, self._expected = server, inputs, expected
        self.num_restarts, self.said, self.wrong, self.lost = 0, 0, 0, 0
        self.resident, self.server_peaks, self.seconds = [], [], []
        self._models = [self._model(way, stack) for way in ("grpc", "rest")]

    def _model(self, way, stack):
        address = getattr(self._server, way)
        port = stack.enter_context(_unreliable(address.split("//")[1]))
        model = connect.connect(
            server=f"{address.split('//')[0]}//127.0.0.1:{port}",
            model_name="cvrl",
            connections=_CLIENTS.value,
        )
        stack.enter_context(contextlib.closing(model))
        patience.Patience(_PATIENCE, say=self._say).ask(lambda: model.describe(timeout=_TIMEOUT))
        return model

    def run(self):
        """Asks everything; returns the seconds that it took."""
        start = time.monotonic()
        patient = patience.Patience(_PATIENCE, say=self._say)
        with concurrent.futures.ThreadPoolExecutor(_CLIENTS.value) as pool:
            numbers = range(_REQUESTS.value)
            for done, _ in enumerate(pool.map(lambda n: self._one(n, patient), numbers), start=1):
                if done % (_REQUESTS.value // 20) == 0:
                    self.resident.append(turns.memory("VmRSS"))
                    print(f"{done} of {_REQUESTS.value}", file=sys.stderr, flush=True)
        return time.monotonic() - start

    def _one(self, number, patient):
        model, place = self._models[number % 2], number % _NUM_INPUTS
        start = time.monotonic()
        try:
            found = patient.ask(lambda: _ask(model, self._inputs[place]))
        except Exception as error:
            self.lost += 1
            print(f"lost: {error}", file=sys.stderr)
            return
        self.seconds.append(time.monotonic() - start)
        right = found.shape == self._expected[place].shape
        self.wrong += not (right and np.abs(found - self._expected[place]).max() < _TOLERANCE)

    @contextlib.contextmanager
    def restarts(self):
        """Kills the server now and then while the block runs, and starts it again."""
        ended = threading.Event()

        def work():
            while not ended.wait(_RESTART_SECONDS.value):
                self.server_peaks.append(_peak(self._server.pid))
                self._server.restart()
                self.num_restarts += 1

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _say(self, _):
        self.said += 1


def _ask(model, clips):
    return model.predict("encoded_frames", "frames", clips, output="embedding", timeout=_TIMEOUT)


@contextlib.contextmanager
def _unreliable(target):
    command = [sys.executable, "-m", "tests.serving.model_server.unreliable", f"--target={target}"]
    between = subprocess.Popen(command, cwd=turns.ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield json.loads(between.stdout.readline())["port"]
    finally:
        between.kill()
        between.wait()


def _peak(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        (kilobytes,) = (line.split()[1] for line in file if line.startswith("VmHWM:"))
    return int(kilobytes) * 1024 / 1e6


def _report(load, seconds):
    # The first fifth fills pools and caches.
    settled = load.resident[len(load.resident) // 5 :]
    rows = [
        ["requests, clients", f"{_REQUESTS.value:,}, {_CLIENTS.value}"],
        ["answered right", f"{len(load.seconds) - load.wrong:,}"],
        ["server restarts", load.num_restarts],
        ["spells without answer", load.said],
        ["seconds, requests a second", f"{seconds:.0f}, {_REQUESTS.value / seconds:.0f}"],
        [
            "p50, p99 with retries (s)",
            ", ".join(f"{np.percentile(load.seconds, p):.3g}" for p in (50, 99)),
        ],
        ["clients' memory after a fifth, at the end (MB)", f"{settled[0]:.0f}, {settled[-1]:.0f}"],
        [
            "server's peak memory, lives (MB)",
            ", ".join(f"{peak:.0f}" for peak in load.server_peaks),
        ],
    ]
    goals = [
        outcome.Goal("wrong answers", load.wrong, 0, at_least=False),
        outcome.Goal("lost requests", load.lost, 0, at_least=False),
        outcome.Goal(
            "clients' memory, end over a fifth", settled[-1] / settled[0], 1.05, at_least=False
        ),
    ]
    raw = {"resident": load.resident, "server_peaks": load.server_peaks}
    table = outcome.table(["", ""], rows)
    outcome.write(_OUTPUT.value, "serving_load", tables=[table], goals=goals, raw=raw)


if __name__ == "__main__":
    app.run(main, flags_parser=commands.parse_flags)
