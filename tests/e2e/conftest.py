# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Real videos, real commands: what the end-to-end tests share."""

import contextlib
import io
import os
import pathlib
import subprocess
import sys
import time

import av
import numpy as np
import pytest
import tensorflow as tf
from absl import flags
from absl.testing import flagsaver

import train as train_command_line
from tfrecords_tools import convert

ROOT = pathlib.Path(__file__).resolve().parents[2]
_CLASSES = ("left", "right")


def write_video(path, *, direction, seed, num_frames=12, size=32, rate=10):
    """Writes noise that drifts to one side, as H.264."""
    wide = np.random.default_rng(seed).integers(0, 255, [size, size + num_frames, 3], np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width = stream.height = size
        stream.pix_fmt = "yuv420p"
        for step in range(num_frames):
            offset = step if direction == "left" else num_frames - step
            picture = np.ascontiguousarray(wide[:, offset : offset + size])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def python(*arguments, cwd=ROOT, **environment):
    """Runs a command of the project; returns the finished process with its output as text."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"} | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def train(gin_file, *, model_dir, data_dir, params=(), mode="train_and_eval"):
    """Runs train.py with everything shrunk."""
    return python(
        *train_command(gin_file, model_dir=model_dir, data_dir=data_dir, params=params, mode=mode)
    )


def train_command(
    gin_file, *, model_dir, data_dir, params=(), mode="train_and_eval", profile=False
):
    """Returns the arguments after `python` of a shrunk training run."""
    return [
        "train.py",
        f"--gin_file={gin_file}",
        "--gin_file=tests/e2e/tiny.gin",
        f"--model_dir={model_dir}",
        f"--data_dir={data_dir}",
        f"--mode={mode}",
        f"--profile={profile}",
        *(f"--gin_param={param}" for param in params),
    ]


def write_videos(folder):
    """Writes two classes in two splits, as folders."""
    for split, count in (("train", 6), ("test", 2)):
        for label, direction in enumerate(_CLASSES):
            (folder / split / direction).mkdir(parents=True)
            for number in range(count):
                path = folder / split / direction / f"{number}.mp4"
                write_video(path, direction=direction, seed=100 * label + number)


@pytest.fixture(scope="session", name="videos")
def _videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    write_videos(folder)
    return folder


@pytest.fixture(scope="session", name="records")
def _records(tmp_path_factory, videos):
    folder = tmp_path_factory.mktemp("records")
    flags = (f"--videos={videos}", f"--output={folder}", "--num_shards=2", "--quiet")
    assert convert.main(["--dataset=folder", *flags]) == 0
    return folder


@pytest.fixture(scope="session", name="pretrained")
def _pretrained(tmp_path_factory, records):
    folder = tmp_path_factory.mktemp("runs") / "pretrain"
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = _train_in_this_process("pretrain.gin", model_dir=folder, data_dir=records)
    assert code == 0
    assert "knn_top1" in said.getvalue()
    assert "Of 4 test videos alone" in said.getvalue()
    return folder


def wait_for_checkpoint(run, processes, *, after=0):
    """Waits until processes have written one of a later step; returns the newest step."""
    deadline = time.monotonic() + 200
    while True:
        steps = [int(path.stem[len("ckpt-") :]) for path in run.glob("ckpt-*.index")]
        # "checkpoint" is written last: without it none is there yet.
        if (run / "checkpoint").exists() and max(steps, default=0) > after:
            return max(steps)
        for process in processes:
            assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline, "no checkpoint appeared"
        time.sleep(0.02)


def refused(done):
    """Returns the one message that a command ended with."""
    return _message(done.returncode, done.stderr)


def _message(code, errors):
    assert code == 2, errors
    assert "Traceback" not in errors
    lines = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, errors
    return lines[0] + errors.split(lines[0])[1]


def _train_in_this_process(gin_file, **arguments):
    """Returns the exit code of train.py, which would take seconds to start by itself."""
    try:
        with flagsaver.flagsaver():
            flags.FLAGS(train_command(gin_file, **arguments))
            return train_command_line.main(["train.py"])
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")


@pytest.fixture(name="train_here")
def _train_here(capsys):
    """Runs train.py; gives its exit code, and what it printed as results and as errors."""

    def run(gin_file, **arguments):
        return _train_in_this_process(gin_file, **arguments), *capsys.readouterr()

    return run


@pytest.fixture(name="refused_here")
def _refused_here(train_here):
    def run(gin_file, **arguments):
        code, _, errors = train_here(gin_file, **arguments)
        return _message(code, errors)

    return run


def command_here(module, *arguments):
    """Runs a command of the project that defines its flags, in this process; returns its code."""
    given = flags.FlagValues()
    module.define_flags(given)
    given([module.__name__, *map(str, arguments)])
    return module.run(given)
