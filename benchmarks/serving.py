# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What serving costs beside the bare forward pass: in this process, and through a socket.

    python -m benchmarks.serving --output=DIR [--dtype=bfloat16]

A backbone of random weights is exported. Round after round, each way embeds the same number of
clips. The server is the tests', a process of its own on the same processors, without batching. An
overhead is of processor time, client and server together, a median over the rounds: the forward
pass keeps all processors busy, and what else the machine does counts less than on the clock.
"""

import concurrent.futures
import contextlib
import functools
import itertools
import os
import statistics
import sys
import time

import official_cvrl  # noqa: F401  isort: skip  (selects legacy Keras before TensorFlow is imported)
import numpy as np
import tensorflow as tf
from absl import app, flags, logging

from benchmarks import outcome
from official_cvrl import commands, run_info
from official_cvrl.data import clip_format
from official_cvrl.modeling import resnet_3d
from official_cvrl.serving import connect, export, questions
from official_cvrl.tasks import views
from tests.serving.model_server import process

_OUTPUT = flags.DEFINE_string("output", None, "Folder for serving.json and .md.", required=True)
_DTYPE = flags.DEFINE_enum("dtype", "bfloat16", [*export.DTYPES], "Of convolutions.")
_DEPTH = flags.DEFINE_integer("depth", 50, "Of the backbone.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Alternations; medians are over them.")
_CLIPS = flags.DEFINE_integer("clips", 8, "Clips that each way embeds in a round.")

_CLIP = clip_format.ClipFormat(num_frames=16, temporal_stride=2, min_resize=256, crop_size=224)
_SOURCE = (320, 426)  # Of a video's frames, as conversion makes them.
_QUALITY = 90
_BARE = "bare forward pass"
_INPUTS = {questions.RAW: "clips", questions.ENCODED: "frames"}
_WORDS = {questions.RAW: "raw clips", questions.ENCODED: "JPEG"}
_BATCHES, _CLIENTS = (1, 4), (1, 2, 4)
_BOUNDS = {questions.RAW: 5.0, questions.ENCODED: 10.0}


def main(unused_argv):
    """Exports, measures and prints the tables."""
    logging.set_verbosity(logging.ERROR)
    tf.get_logger().setLevel("ERROR")
    served, backbone = _exported()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(process.serving(served))
        ways = _ways(connect.connect(saved_model=served), backbone, server, stack)
        for name, way in ways.items():
            print(f"warming up {name} …", file=sys.stderr, flush=True)
            _round(way, server.pid)
        rounds = []
        for number in range(_ROUNDS.value):
            in_turn = list(ways.items())[:: 1 if number % 2 == 0 else -1]
            rounds.append({name: _round(way, server.pid) for name, way in in_turn})
            print(f"round {number + 1} of {_ROUNDS.value}", file=sys.stderr, flush=True)
        _report(rounds, list(ways), _peak(server.pid))


def _exported():
    """The folder of versions, and the backbone that is in it."""
    run, served = (os.path.join(_OUTPUT.value, name) for name in ("run", "saved_model"))
    if not os.path.exists(served):
        os.makedirs(run, exist_ok=True)
        backbone = resnet_3d.ResNet3D(depth=_DEPTH.value)
        run_info.write(run, run_info.RunInfo("nowhere", backbone.get_config(), _CLIP))
        tf.train.CheckpointManager(tf.train.Checkpoint(backbone=backbone), run, 1).save(1)
        export.export(run, served, options=export.Options(dtype=_DTYPE.value))
    policy = export.DTYPES[_DTYPE.value]
    backbone, _ = run_info.load_backbone(run, run_info.read_trained(run), dtype=policy)
    return served, backbone


def _ways(here, backbone, server, stack):
    """What embeds a batch, the batch, and how many ask at once, by the way's name."""
    clips = _clips(max(_BATCHES))
    ways = {}
    for batch in _BATCHES:
        crops = tf.constant(clips[questions.RAW][:batch, :, :224, :224])
        ways[_BARE, batch, 1] = (_bare(backbone, crops), 1)
        for signature in _INPUTS:
            ask = functools.partial(_predict, here, signature, clips[signature][:batch])
            ways[f"here, {_WORDS[signature]}", batch, 1] = (ask, 1)
    there = {
        kind: stack.enter_context(
            contextlib.closing(
                connect.connect(
                    server=getattr(server, kind), model_name="cvrl", connections=max(_CLIENTS)
                )
            )
        )
        for kind in ("grpc", "rest")
    }
    for batch, clients in itertools.product(_BATCHES, _CLIENTS):
        for signature in _INPUTS:
            ask = functools.partial(_predict, there["grpc"], signature, clips[signature][:batch])
            ways[f"gRPC, {_WORDS[signature]}", batch, clients] = (ask, clients)
    ask = functools.partial(_predict, there["rest"], questions.ENCODED, clips[questions.ENCODED])
    ways[f"REST, {_WORDS[questions.ENCODED]}", max(_BATCHES), 1] = (ask, 1)
    return ways


def _clips(count):
    """Clips of smooth random pictures, by signature; both hold the same."""
    height, width = _SOURCE
    coarse = tf.random.stateless_uniform([count * _CLIP.num_frames, 20, 27, 3], [0, 0], 0, 255)
    frames = tf.cast(tf.image.resize(coarse, [height, width], "bicubic"), tf.int32)
    frames = tf.cast(tf.clip_by_value(frames, 0, 255), tf.uint8)
    jpegs = [tf.io.encode_jpeg(frame, quality=_QUALITY).numpy() for frame in frames]
    shape = [count, _CLIP.num_frames]
    pixels = np.stack([tf.io.decode_jpeg(jpeg).numpy() for jpeg in jpegs])
    return {
        questions.RAW: pixels.reshape([*shape, height, width, 3]),
        questions.ENCODED: np.array(jpegs, object).reshape(shape),
    }


def _bare(backbone, crops):
    forward = tf.function(lambda: backbone(views.to_float(crops), training=False)["embedding"])
    return lambda: forward().numpy()


def _predict(model, signature, values):
    return model.predict(
        signature, _INPUTS[signature], values, output=questions.OUTPUT, timeout=600
    )


def _round(way, server):
    """Embeds the clips of a round; returns seconds for a clip and of each request."""
    ask, clients = way
    size = len(ask())

    def timed(_):
        start = time.perf_counter()
        ask()
        return time.perf_counter() - start

    requests = max(clients, _CLIPS.value // size)
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        start, processor = time.perf_counter(), _processor_seconds(server)
        latencies = list(pool.map(timed, range(requests)))
        seconds = time.perf_counter() - start
    return {
        "seconds_per_clip": seconds / (requests * size),
        "processor_seconds_per_clip": (_processor_seconds(server) - processor) / (requests * size),
        "latencies": latencies,
    }


def _processor_seconds(server):
    """Of this process and the server's, so far."""
    with open(f"/proc/{server}/stat", encoding="utf-8") as file:
        user, system = file.read().rpartition(")")[2].split()[11:13]
    return time.process_time() + (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _report(rounds, names, server_megabytes):
    overheads = {name: _overhead(rounds, name) for name in names}
    rows = [_row(rounds, name, overheads[name]) for name in names]
    header = [
        "way",
        "clips a request",
        "clients",
        "clips a second",
        "p50 (s)",
        "p99 (s)",
        "overhead",
    ]
    goals = [
        outcome.Goal(
            f"{kind}, {_WORDS[signature]}: overhead (%)",
            overheads[f"{kind}, {_WORDS[signature]}", max(_BATCHES), clients],
            bound,
            at_least=False,
        )
        for signature, bound in _BOUNDS.items()
        for kind, clients in (("here", 1), ("gRPC", 2))
    ]
    sizes = f"A server of this model took at most {server_megabytes:.0f} MB."
    raw = [{str(name): measured[name] for name in names} for measured in rounds]
    tables = [outcome.table(header, rows), sizes]
    outcome.write(_OUTPUT.value, "serving", tables=tables, goals=goals, raw=raw)


def _overhead(rounds, name):
    (_, batch, _), measure = name, "processor_seconds_per_clip"
    ratios = [measured[name][measure] / measured[_BARE, batch, 1][measure] for measured in rounds]
    return 100 * (statistics.median(ratios) - 1)


def _row(rounds, name, overhead):
    seconds = statistics.median(measured[name]["seconds_per_clip"] for measured in rounds)
    latencies = [seconds for measured in rounds for seconds in measured[name]["latencies"]]
    p50, p99 = np.percentile(latencies, [50, 99])
    way, batch, clients = name
    shown = "" if way == _BARE else f"{overhead:+.1f}%"
    return [way, batch, clients, f"{1 / seconds:.2f}", f"{p50:.2f}", f"{p99:.2f}", shown]


def _peak(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        (kilobytes,) = (line.split()[1] for line in file if line.startswith("VmHWM:"))
    return int(kilobytes) * 1024 / 1e6


if __name__ == "__main__":
    app.run(main, flags_parser=commands.parse_flags)
