# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Reads every record and decodes every frame of a split, and tells each fault with its place."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf
from etils import epath

from official_cvrl import manifest, progress, records, shard_files
from tfrecords_tools import checksums, engines


def check_split(data_dir: str | os.PathLike[str], split: str, *, quiet: bool = False) -> list[str]:
    """Returns the faults of a split, each naming the shard, the record and what is wrong.

    Args:
      data_dir: a folder of shards.
      split: which of its splits.
      quiet: show no progress.

    Raises:
      UserError: there is no such folder or split.
    """
    paths, missing = manifest.present_shards(data_dir, split)
    known = manifest.known_shards(data_dir, split)
    label_names = manifest.read_labels(data_dir)
    faults = [f"{name} is missing" for name in missing]
    seen: dict[str, str] = {}
    listed = [known[path.name]["num_examples"] for path in paths if path.name in known]
    total = sum(listed) if len(listed) == len(paths) else None
    bar = progress.Progress(label=f"check {split}", unit="records", total=total, quiet=quiet)
    with (
        concurrent.futures.ThreadPoolExecutor(engines.available_cores()) as pool,
        contextlib.closing(bar),
    ):
        checks = [
            pool.submit(_check_shard, path, known.get(path.name), label_names, bar)
            for path in paths
        ]
        for path, checked in zip(paths, checks, strict=True):
            of_shard, example_ids = checked.result()
            faults += of_shard + _repeated(path.name, example_ids, seen)
    return faults


def _repeated(shard: str, example_ids: Sequence[str], seen: dict[str, str]) -> list[str]:
    faults = []
    for example_id in example_ids:
        if example_id in seen:
            faults.append(f"{shard}: {example_id!r} is in {seen[example_id]}, too")
        seen[example_id] = shard
    return faults


def _check_shard(
    path: epath.Path,
    known: Mapping[str, Any] | None,
    label_names: Sequence[str],
    bar: progress.Progress,
) -> tuple[list[str], list[str]]:
    faults, example_ids, count = [], [], 0
    if known is not None and known["sha256"] != checksums.sha256(path):
        faults.append(
            f"{path.name}: its content is not what {manifest.MANIFEST_NAME} says (SHA-256)"
        )
    if known is None and not path.stat().length:
        faults.append(f"{path.name}: the shard is empty (0 bytes)")
    for place, serialized in _records(path, faults):
        count += 1
        bar.add(1)
        try:
            example = records.decode_example(serialized)
        except ValueError as error:
            faults.append(f"{place}: {error}")
            continue
        place = f"{place} ({example.example_id or 'no example/id'})"
        faults += [f"{place}: {fault}" for fault in _check_example(example, label_names)]
        example_ids += [example.example_id] if example.example_id else []
    if known is not None and known["num_examples"] != count:
        faults.append(
            f"{path.name}: {count} records can be read, {manifest.MANIFEST_NAME} says "
            f"{known['num_examples']}"
        )
    return faults, example_ids


def _records(path: epath.Path, faults: list[str]) -> Iterator[tuple[str, bytes]]:
    """Yields each record with its place; what ends the reading too early goes to `faults`."""
    compression = shard_files.compression_of(path)
    dataset = tf.data.TFRecordDataset(os.fspath(path), compression_type=compression)
    count = 0
    try:
        for count, serialized in enumerate(dataset.as_numpy_iterator(), start=1):
            yield f"{path.name} record {count - 1}", serialized
    except tf.errors.OpError as error:
        message = error.message.partition(" [Op:")[0].partition("{{")[0].strip()
        reason = f": {message}" if message else ""
        faults.append(f"{path.name} record {count}: damaged or truncated{reason}")


def _check_example(example: records.Example, label_names: Sequence[str]) -> Iterator[str]:
    times = example.timestamps_us
    if times and len(times) != len(example.frames):
        yield f"{len(times)} timestamps for {len(example.frames)} frames"
    if any(after <= before for before, after in zip(times, times[1:], strict=False)):
        yield "its timestamps do not increase"
    for label in example.labels:
        if label < -1:
            yield f"has the label {label}, and labels count from 0 (-1: none)"
        elif label_names and label >= len(label_names):
            yield f"label {label} is not in {manifest.LABELS_NAME} (0 to {len(label_names) - 1})"
    persons = example.key_frame.boxes if example.key_frame else ()
    for label in {label for person in persons for label in person.labels}:
        if label_names and not 0 <= label < len(label_names):
            yield f"a person's label {label} is not in {manifest.LABELS_NAME}"
    for index, frame in enumerate(example.frames):
        fault = _check_frame(frame, example)
        if fault:
            yield f"frame {index}: {fault}"


def _check_frame(frame: bytes, example: records.Example) -> str:
    try:
        height, width, channels = tf.io.decode_jpeg(frame).shape
    except tf.errors.InvalidArgumentError as error:
        message = error.message.partition(" [Op:")[0].partition("{{")[0]
        return f"does not decode: {message.strip()}"
    if channels != 3:
        return f"has {channels} channel(s), not 3"
    if example.height and (height, width) != (example.height, example.width):
        return f"is {width}x{height}, the record says {example.width}x{example.height}"
    return ""
