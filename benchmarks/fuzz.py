# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Damages videos, shards and records at random and lets the tools at them.

    python -m benchmarks.fuzz --output=DIR --cases=4000

Damaged videos go through the command `tfrecords_tools.convert` in batches, and what it wrote
through `inspect --check`. Damaged shards go through the latter, damaged records through the readers
for people and for training. `--videos=DIR` adds real videos to the small ones made here.
"""

import collections
import concurrent.futures
import multiprocessing
import pathlib
import re
import shutil
import subprocess
import sys
import time

import numpy as np
import tensorflow as tf
from absl import app, flags

from benchmarks import outcome
from official_cvrl import commands, records
from tests.tfrecords_tools import damage
from tfrecords_tools import check, results

_OUTPUT = flags.DEFINE_string("output", None, "Folder for fuzz.json and fuzz.md.")
_CASES = flags.DEFINE_integer(
    "cases", 4000, "Damaged videos, shards, and records: so many of each."
)
_SEED = flags.DEFINE_integer("seed", 0, "Other numbers, other damage.")
_BATCH = flags.DEFINE_integer("batch", 200, "Videos for each run of the command.")
_VIDEOS = flags.DEFINE_string("videos", None, "Folder of more videos to damage, each below 1 MB.")

_LARGEST = 1 << 20
_HANGS_AFTER_SECONDS = 1800
_SPLIT = "train"


def main(unused_argv):
    """Runs all cases and writes the tables; ends with 1 if a command failed."""
    if not _OUTPUT.value:
        raise app.UsageError("--output=DIR is where the results go.")
    work = pathlib.Path(_OUTPUT.value) / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    videos = _fuzz_videos(work)
    shards = _fuzz_in_processes(_fuzz_shard, work)
    inside = _fuzz_in_processes(_fuzz_record, work)
    shutil.rmtree(work)
    tables = [
        "Videos, by outcome:\n\n" + _table(videos),
        "Shards, by the first fault that `inspect --check` tells:\n\n" + _table(shards),
        "Records, by what `decode_example` says:\n\n" + _table(inside),
    ]
    outcome.write(_OUTPUT.value, "fuzz", tables=tables, goals=[], raw=[videos, shards, inside])
    failed = [name for counts in (videos, shards, inside) for name in counts if name[0] == "!"]
    sys.exit(f"failed: {failed}" if failed else 0)


def _table(counts) -> str:
    return outcome.table(["outcome", "cases"], [[n, str(c)] for n, c in counts.most_common()])


def _fuzz_videos(work) -> collections.Counter:
    sources = [(name, damage.write_video(work, name)) for name in damage.sound_videos()]
    more = sorted(pathlib.Path(_VIDEOS.value).rglob("*.*")) if _VIDEOS.value else []
    sources += [(p.name, p.read_bytes()) for p in more if 0 < p.stat().st_size <= _LARGEST]
    generator = np.random.default_rng(_SEED.value)
    counts, started = collections.Counter(), time.monotonic()
    for first in range(0, _CASES.value, _BATCH.value):
        size = min(_BATCH.value, _CASES.value - first)
        counts += _fuzz_batch(work, sources, size=size, generator=generator)
        _tell("videos", first + size, started, counts)
    return counts


def _fuzz_batch(work, sources, *, size: int, generator) -> collections.Counter:
    folder, shards = work / "videos", work / "shards"
    for one in (folder, shards):
        shutil.rmtree(one, ignore_errors=True)
    folder.mkdir()
    for number in range(size):
        name, content = sources[generator.integers(len(sources))]
        kind, damaged = damage.damage(content, generator)
        (folder / f"{number:04d} {kind} {name}").write_bytes(damaged)
    command = ["--dataset=folder", "--unlabelled", f"--videos={folder}", f"--output={shards}"]
    code, told = _run("convert", *command, "--quiet")
    if code:
        return collections.Counter({f"! convert ended with {code}: {told[-300:]}": 1})
    report = results.read_report(shards, _SPLIT)
    counts = collections.Counter(_in_short(one) for one in report)
    if len(report) != size:
        counts[f"! {size - len(report)} inputs are not in the report"] += 1
    code, told = _run("inspect", str(shards), "--check", "--quiet")
    if code:
        counts[f"! inspect --check ended with {code}: {told[-300:]}"] += 1
    return counts


def _run(tool: str, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", f"tfrecords_tools.{tool}", *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_HANGS_AFTER_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return -1, "it hangs"
    return done.returncode, done.stdout + done.stderr


def _in_short(one: results.VideoResult) -> str:
    crash = re.search(r"the decoder (crashed|ended|gave no frame).*", one.reason)
    if crash:
        return f"{one.status}: {crash[0]}"
    reason = re.sub(r"\d+(\.\d+)?( of)?", "N", one.reason.partition(": ")[0].partition(" (")[0])
    return f"{one.status}: {reason}" if reason else one.status


def _fuzz_in_processes(fuzz, work) -> collections.Counter:
    """Runs cases in a process, so that a crash there is an outcome, too."""
    shards = [path for path in sorted((work / "shards").glob("*-of-*")) if path.stat().st_size]
    content = min(shards, key=lambda path: path.stat().st_size).read_bytes()
    counts, started, step = collections.Counter(), time.monotonic(), 500
    context = multiprocessing.get_context("spawn")
    for first in range(0, _CASES.value, step):
        count = min(step, _CASES.value - first)
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
            try:
                arguments = (content, str(work), _SEED.value + first, count)
                counts += pool.submit(fuzz, *arguments).result(timeout=_HANGS_AFTER_SECONDS)
            except Exception as error:
                counts[f"! {type(error).__name__}: {error}"[:300]] += 1
        _tell(fuzz.__name__.strip("_"), first + count, started, counts)
    return counts


def _fuzz_shard(content: bytes, work: str, seed: int, count: int) -> collections.Counter:
    generator = np.random.default_rng(seed)
    folder = pathlib.Path(work, "shard")
    folder.mkdir(exist_ok=True)
    counts = collections.Counter()
    for _ in range(count):
        damaged = damage.damage(content, generator)[1]
        (folder / f"{_SPLIT}-00000-of-00001").write_bytes(damaged)
        faults = check.check_split(folder, _SPLIT, quiet=True)
        words = "; ".join(faults)
        counts["damaged or truncated" if "damaged" in words else _first_words(faults)] += 1
    return counts


def _first_words(faults) -> str:
    return re.sub(r"\d+", "N", faults[0].partition(": ")[2])[:60] if faults else "no fault"


def _fuzz_record(content: bytes, work: str, seed: int, count: int) -> collections.Counter:
    path = pathlib.Path(work, "whole")
    path.write_bytes(content)
    (serialized, *_) = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    parse = tf.function(records.parse_example, input_signature=[tf.TensorSpec([], tf.string)])
    generator = np.random.default_rng(seed)
    return collections.Counter(
        _read(damage.damage(serialized, generator)[1], parse) for _ in range(count)
    )


def _read(serialized: bytes, parse) -> str:
    try:
        records.decode_example(serialized)
        told = "read"
    except ValueError as error:
        told = "refused: " + re.sub(r"\d+|b'.*'|b\".*\"", "N", str(error))[:50]
    try:
        parse(tf.constant(serialized))
    except tf.errors.InvalidArgumentError:
        return told if told != "read" else "! read by decode_example, refused by parse_example"
    return told


def _tell(what: str, done: int, started: float, counts) -> None:
    rate = done / (time.monotonic() - started)
    left = (_CASES.value - done) / rate
    bad = sum(count for name, count in counts.items() if name[0] == "!")
    print(
        f"{what}: {done} of {_CASES.value}, {rate:.0f} a second, {left:.0f} s left, {bad} failed",
        file=sys.stderr,
        flush=True,
    )


if __name__ == "__main__":
    app.run(main, flags_parser=commands.parse_flags)
