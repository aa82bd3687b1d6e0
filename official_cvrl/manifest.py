# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What a folder of shards holds: splits, shard names, label map, counts, checksums.

A folder looks like this; everything but the shards themselves is optional when reading:

    train-00000-of-00002   TFRecord shards, uncompressed or GZIP, optionally named *.tfrecord
    train-00001-of-00002
    labels.txt             one class name a line; the index is the line number, from 0
    manifest.json          per split: settings, counts, and bytes and SHA-256 of each shard
    train-videos.csv       what became of each source video
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from etils import epath

from official_cvrl import errors, filesystems, outputs, shard_files

MANIFEST_NAME = "manifest.json"
LABELS_NAME = "labels.txt"
FORMAT = 1

_SHARD = re.compile(r"^(?P<split>.+)-(?P<index>\d{5,})-of-(?P<count>\d{5,})(\.tfrecord)?$")


@dataclasses.dataclass(frozen=True)
class ShardSet:
    """The shards of one split.

    Attributes:
      paths: the shards that hold examples, in order.
      num_examples: over all shards.
      examples_per_shard: in the order of `paths`.
      label_names: class names by index; empty when the folder has no label map.
      compression: `""` or `"GZIP"`, as `tf.data.TFRecordDataset` takes it.
      split: the split's name.
      offsets: byte of each of `paths` at which its examples begin, where `paths` names a file once
        for each part of it; empty when they are whole files.
    """

    paths: tuple[str, ...]
    num_examples: int
    examples_per_shard: tuple[int, ...]
    label_names: tuple[str, ...]
    compression: str
    split: str
    offsets: tuple[int, ...] = ()


def shard_name(split: str, *, index: int, num_shards: int) -> str:
    """Returns the file name of a shard, such as `train-00003-of-00010`."""
    return f"{split}-{index:05d}-of-{num_shards:05d}"


def is_shard(file_name: str) -> bool:
    """Returns whether a file is called as shards are."""
    return _SHARD.match(file_name) is not None


def list_splits(data_dir: str | os.PathLike[str]) -> tuple[str, ...]:
    """Returns the sorted names of the splits that have shards in `data_dir`.

    Raises:
      UserError: `data_dir` is not a directory.
    """
    return tuple(sorted(_shards_by_split(_directory(data_dir))))


def find_shards(data_dir: str | os.PathLike[str], split: str) -> ShardSet:
    """Finds, checks and counts the shards of a split.

    Examples are counted by the manifest where it agrees with the sizes of the shards, and by
    walking over the records otherwise.

    Args:
      data_dir: a folder of shards.
      split: such as `train`.

    Raises:
      UserError: there is no such directory or split, a shard is missing, empty or truncated, or
        the records have another layout.
    """
    directory = _directory(data_dir)
    shards = _complete_set(directory, split)
    known = known_shards(directory, split)
    counts = [_count_examples(path, known) for path in shards]
    filled = [path for path, count in zip(shards, counts, strict=True) if count]
    if not filled:
        raise errors.UserError(f"{directory}: the shards of split {split!r} hold no examples.")
    # Those in the manifest are of one conversion; the others were opened to be counted anyway.
    compression = _common_compression(
        [path for path in filled if path is filled[0] or not _is_as_known(path, known)]
    )
    _check_layout(filled[0])
    return ShardSet(
        paths=tuple(os.fspath(path) for path in filled),
        num_examples=sum(counts),
        examples_per_shard=tuple(count for count in counts if count),
        label_names=read_labels(directory),
        compression=compression,
        split=split,
    )


def _directory(data_dir: str | os.PathLike[str]) -> epath.Path:
    directory = filesystems.openable_path(data_dir)
    if not directory.is_dir():
        what = "is a file, not a directory" if directory.exists() else "no such directory"
        raise errors.UserError(
            f"{data_dir}: {what}. Give the folder that tfrecords_tools.convert wrote (--output)."
        )
    return directory


def _shards_by_split(directory: epath.Path) -> dict[str, dict[int, dict[int, epath.Path]]]:
    """Returns split → number of shards → index → path."""
    found: dict[str, dict[int, dict[int, epath.Path]]] = {}
    for path in sorted(directory.iterdir()):
        match = _SHARD.match(path.name)
        if match:
            by_count = found.setdefault(match["split"], {})
            by_count.setdefault(int(match["count"]), {})[int(match["index"])] = path
    return found


def present_shards(
    data_dir: str | os.PathLike[str], split: str
) -> tuple[list[epath.Path], list[str]]:
    """Returns the shards of a split that are there, in order, and the names of those that are not.

    Raises:
      UserError: no such directory, no shard of that split, or shards of two conversions.
    """
    directory = _directory(data_dir)
    by_split = _shards_by_split(directory)
    if split not in by_split:
        missing = f"{directory}: no shards of split {split!r} ({split}-00000-of-…)"
        if not by_split:
            raise errors.UserError(
                f"{missing}, nor of any other. If it holds videos, convert them first: python -m "
                f"tfrecords_tools.convert --dataset=folder --videos={shlex.quote(str(directory))} "
                "--output=MY_RECORDS"
            )
        raise errors.UserError(f"{missing}. Splits there are: {', '.join(sorted(by_split))}.")
    if len(by_split[split]) > 1:
        sizes = " and ".join(f"of-{count:05d}" for count in sorted(by_split[split]))
        raise errors.UserError(
            f"{directory}: split {split!r} has shards of two conversions ({sizes}); remove one."
        )
    ((count, by_index),) = by_split[split].items()
    missing = [
        shard_name(split, index=index, num_shards=count)
        for index in range(count)
        if index not in by_index
    ]
    return [by_index[index] for index in sorted(by_index)], missing


def _complete_set(directory: epath.Path, split: str) -> list[epath.Path]:
    paths, missing = present_shards(directory, split)
    if missing:
        raise errors.UserError(
            f"{directory}: {len(missing)} of {len(paths) + len(missing)} shards of split {split!r} "
            f"are missing, the first is {missing[0]}; {shard_files.SAME_COMMAND}."
        )
    return paths


def known_shards(directory: str | os.PathLike[str], split: str) -> dict[str, Mapping[str, Any]]:
    """Returns what the manifest says about each shard of a split, by name."""
    entry = read_manifest(directory)["splits"].get(split, {})
    return {shard["name"]: shard for shard in entry.get("shards", ())}


def _is_as_known(path: epath.Path, known: Mapping[str, Mapping[str, Any]]) -> bool:
    return path.name in known and known[path.name]["bytes"] == path.stat().length


def _count_examples(path: epath.Path, known: Mapping[str, Mapping[str, Any]]) -> int:
    if _is_as_known(path, known):
        return known[path.name]["num_examples"]
    if not path.stat().length:
        raise errors.UserError(f"{path}: the shard is empty (0 bytes); {shard_files.SAME_COMMAND}.")
    return sum(1 for _ in shard_files.record_lengths(path))


def _common_compression(paths: Sequence[epath.Path]) -> str:
    found = {path: shard_files.compression_of(path) for path in paths}
    if len(set(found.values())) > 1:
        packed = next(path.name for path, compression in found.items() if compression)
        plain = next(path.name for path, compression in found.items() if not compression)
        raise errors.UserError(
            f"{paths[0].parent}: {packed} is GZIP and {plain} is not; use one for all shards."
        )
    return found[paths[0]]


def _check_layout(path: epath.Path) -> None:
    # These two import TensorFlow, which takes seconds; who writes a manifest needs neither.
    import tensorflow as tf

    from official_cvrl import records

    dataset = tf.data.TFRecordDataset(
        os.fspath(path), compression_type=shard_files.compression_of(path)
    )
    try:
        serialized = next(dataset.take(1).as_numpy_iterator())
    except tf.errors.DataLossError as error:
        raise errors.UserError(f"{path}: record 0 is damaged: {error.message}.") from error
    fault = records.diagnose(serialized)
    if fault is not None:
        raise errors.UserError(f"{path}: record 0 cannot be read: {fault}.")


def read_manifest(directory: str | os.PathLike[str]) -> dict[str, Any]:
    """Returns the content of `manifest.json`, or `{"format": 1, "splits": {}}` without one.

    Raises:
      UserError: the file holds something else than `write_split` writes, or was written by a newer
        version of this project.
    """
    path = filesystems.openable_path(directory) / MANIFEST_NAME
    if not path.exists():
        return {"format": FORMAT, "splits": {}}
    try:
        content = json.loads(path.read_text())
        version = content["format"]
        if version == FORMAT:
            _check_splits(content["splits"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise errors.UserError(
            f"{path}: not a manifest ({error!r}); delete it, and the shards are counted instead."
        ) from error
    if version != FORMAT:
        raise errors.UserError(
            f"{path}: format {version}, but this version reads format {FORMAT}; update the package."
        )
    return content


def _check_splits(splits: Any) -> None:
    """Raises what mistakes in the structure raise, where it is not what `write_split` writes."""
    for split, entry in splits.items():
        if not isinstance(entry.get("settings", {}), dict):
            raise TypeError(f"settings of {split} are no table")
        for shard in entry.get("shards", ()):
            numbers = shard["num_examples"], shard["bytes"]
            if not isinstance(shard["name"], str) or any(
                not isinstance(number, int) or number < 0 for number in numbers
            ):
                raise ValueError(f"shard {shard} of {split}")


def write_split(directory: str | os.PathLike[str], *, split: str, entry: Mapping[str, Any]) -> None:
    """Puts what is known of one split into `manifest.json`; other splits stay as they are."""
    content = read_manifest(directory)
    content["splits"][split] = dict(entry)
    content["splits"] = dict(sorted(content["splits"].items()))
    text = json.dumps(content, indent=1) + "\n"
    outputs.write_text(filesystems.openable_path(directory) / MANIFEST_NAME, text)


def read_labels(directory: str | os.PathLike[str]) -> tuple[str, ...]:
    """Returns the class names of `labels.txt`, or nothing without one.

    Raises:
      UserError: the file cannot be read, or is not UTF-8.
    """
    path = filesystems.openable_path(directory) / LABELS_NAME
    if not path.exists():
        return ()
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise errors.UserError(
            f"{path}: cannot be read: {error}. It must hold one class name a line, in UTF-8."
        ) from error
    # Not `splitlines`, which ends a line at a dozen other characters, too.
    return tuple(line.rstrip("\r") for line in text.removesuffix("\n").split("\n")) if text else ()


def check_label_names(label_names: Sequence[str]) -> None:
    """Refuses class names that would not be one line each.

    Raises:
      UserError: a name is empty or holds a line break.
    """
    for name in label_names:
        if name.splitlines() != [name]:
            raise errors.UserError(
                f"the class name {name!r} is empty or holds a line break, but {LABELS_NAME} has "
                "one class a line; rename the class."
            )


def write_labels(directory: str | os.PathLike[str], label_names: Sequence[str]) -> None:
    """Writes `labels.txt`; errors as of `check_label_names`."""
    check_label_names(label_names)
    text = "".join(f"{name}\n" for name in label_names)
    outputs.write_text(filesystems.openable_path(directory) / LABELS_NAME, text)
