# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The commands and programs of docs/serving.md run as printed, on the ports of a test's server."""

import importlib
import os
import re
import shlex
import subprocess
import sys

import pytest
from absl import flags

from official_cvrl.serving import questions, tables
from tests.e2e import conftest as videos
from tests.report import conftest as runs
from tests.serving import printed, stand_in
from tests.serving.model_server import batching_config, process

_HERE = ("Embeddings of videos", "Servers", "Search")
_CONFIG = printed.boxes("", *_HERE)[0]
_PROGRAMS = printed.boxes("python", *_HERE)
_SHELL = printed.boxes("bash", *_HERE)


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory):
    """What the commands name."""
    folder = tmp_path_factory.mktemp("docs")
    stand_in.write(folder / "saved_model")
    (folder / "MY_VIDEOS").mkdir()
    for seed, name in enumerate(("MY_VIDEOS/video.mp4", "MY_VIDEOS/other.mp4", "new.mp4")):
        videos.write_video(folder / name, direction="left", seed=seed, size=20)
    (folder / "list.csv").write_text("path\nMY_VIDEOS/video.mp4\nMY_VIDEOS/other.mp4\n")
    for number, jpeg in enumerate(runs.frames(0)[:4]):
        (folder / f"frame_{number:02}.jpg").write_bytes(jpeg)
    (folder / "batching.config").write_text(_CONFIG)
    return folder


@pytest.fixture(scope="module", name="server")
def _server(folder):
    """Started with the flags that the documentation gives TensorFlow Serving's binary."""
    (command,) = (text for text in _SHELL if text.startswith("tensorflow_model_server"))
    _, *options = shlex.split(command.replace("$PWD", str(folder)).replace("\\\n", " "))
    options = [flag for flag in options if "port=" not in flag and "base_path" not in flag]
    options = [flag.replace("=batching", f"={folder}/batching") for flag in options]
    with process.serving(folder / "saved_model", *options) as server:
        yield server


def _with_ports(text, server):
    for port, address in (("8500", server.grpc), ("8501", server.rest)):
        text = text.replace(f"localhost:{port}", address.split("//")[1])
    return text


def _run_here(command):
    python, dash_m, module, *arguments = command
    assert (python, dash_m) == ("python", "-m")
    command, given = importlib.import_module(module), flags.FlagValues()
    command.define_flags(given)
    given([module, *arguments])
    assert command.run(given) == 0
    return command


def _run(command, folder, server):
    command = [_with_ports(part, server) for part in command]
    environment = os.environ | {"PYTHONPATH": str(videos.ROOT)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_programs(folder, server):
    """In one process: each takes seconds to start."""
    printed = _run([sys.executable, "-c", "\n".join(_PROGRAMS)], folder, server)
    assert re.fullmatch(
        r"\[\[0\.\d+, 0\.\d+, 0\.\d+\], \[0\.\d+, 0\.\d+, 0\.\d+\]\]\n\(1, 3\)\n"
        r"\{.*'encoded_frames': \{'frames': \(None, 4\)\}.*\}\n\(1, 3\)\n",
        printed,
    )


def test_curl(folder, server):
    commands = "\n".join(text for text in _SHELL if "curl" in text)
    printed = _run(["bash", "-euo", "pipefail", "-c", commands], folder, server)
    assert '"state": "AVAILABLE"' in printed
    assert '"encoded_frames": {' in printed
    numbers = r"\[\s*\[\s*0\.\d+,\s*0\.\d+,\s*0\.\d+\s*\]\s*\]"
    assert re.search(rf'"embedding": {numbers}', printed)


def test_commands(folder, server, monkeypatch):
    """In this process: each takes seconds to start."""
    monkeypatch.chdir(folder)
    commands = "".join(text for text in _SHELL if text.startswith("python -m official_cvrl"))
    ran = [_run_here(shlex.split(_with_ports(line, server))) for line in commands.splitlines()]
    assert [module.__name__.rpartition(".")[2] for module in ran] == ["extract"] * 3 + [
        "search"
    ] * 2
    found = [tables.read(str(folder / f"embeddings{s}")) for s in (".npz", ".parquet", ".tfrecord")]
    assert [len(table.paths) for table in found] == [2, 2, 2]
    spread = [abs(table.embeddings[::-1] - found[0].embeddings).max() for table in found[2:]]
    assert max(spread) < 1e-5, "the list has them in another order"
    assert (folder / "search.html").exists()


def test_a_client_may_send_as_much_as_a_batch_takes():
    assert questions.Asking().clips_per_request <= batching_config.parse(_CONFIG).max_batch_size


def test_nothing_is_left_untried():
    """`export_test` runs what the first section prints."""
    tried = ("python -m official_cvrl", "tensorflow_model_server")
    untried = [text for text in _SHELL if not text.startswith(tried) and "curl" not in text]
    assert [text.split()[0] for text in untried] == ["docker"]
    elsewhere = [name for name in printed.SECTIONS if name not in ("Export", *_HERE)]
    assert not printed.boxes("python", *elsewhere)
    for command in printed.boxes("bash", *elsewhere):
        _assert_there_is(shlex.split(command))


def _assert_there_is(command):
    """A benchmark of that name, which has those flags: to run it takes minutes."""
    python, dash_m, module, *arguments = command
    assert (python, dash_m) == ("python", "-m") and module.startswith("benchmarks.")
    text = (videos.ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
    for argument in arguments:
        assert f'"{argument.partition("=")[0].lstrip("-")}"' in text, argument
