# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A share of each class of some shards, read where it lies; no frame of the others is read."""

import collections
import concurrent.futures
import dataclasses
import os
import time
from collections.abc import Iterator

from official_cvrl import (
    balance,
    errors,
    filesystems,
    manifest,
    progress,
    records,
    shard_files,
)

# What comes before the frames of our records, mostly; of others more is read.
_HEAD_BYTES = 4096
_CONTEXT_TAG = b"\x0a"  # Of field 1 of a SequenceExample; frames are in field 2.
_READERS = 16
_SECONDS_BEFORE_PROGRESS = 3.0


@dataclasses.dataclass(frozen=True)
class _Record:
    path: str
    offset: int
    name: str
    labels: tuple[int, ...]


def keep(shards: manifest.ShardSet, *, fraction: float, seed: int) -> manifest.ShardSet:
    """Returns the records of a share of each class, at least one of each, as shards of one record.

    They are those that `tfrecords_tools.convert --subset` keeps of the same videos. Records without
    a label are one class. What names and labels a record is read from the bytes before its frames,
    so this takes a seek for each record, not a pass over the data.

    Args:
        shards: all of the split.
        fraction: above 0 and below 1.
        seed: see `balance.kept`.

    Raises:
        UserError: `fraction` is something else, or the shards are compressed.
    """
    if not 0 < fraction < 1:
        raise errors.UserError(f"a subset of {fraction} must lie between 0 and 1.")
    if shards.compression:
        raise errors.UserError(
            f"{shards.paths[0]}: of compressed shards ({shards.compression}) no part can be read. "
            "Convert the videos with --subset, or the records without compression."
        )
    found = _all_records(shards.paths)
    by_class = collections.defaultdict(set)
    for record in found:
        for label in record.labels or (None,):
            by_class[label].add(record.name)
    names = balance.kept(by_class, fraction=fraction, seed=seed)
    chosen = [record for record in found if record.name in names]
    return dataclasses.replace(
        shards,
        paths=tuple(record.path for record in chosen),
        offsets=tuple(record.offset for record in chosen),
        examples_per_shard=(1,) * len(chosen),
        num_examples=len(chosen),
    )


def _all_records(paths):
    """Reads many shards at once, since each is waited for."""
    started, bar, found = time.monotonic(), None, []
    with concurrent.futures.ThreadPoolExecutor(_READERS) as readers:
        for done, part in enumerate(readers.map(lambda path: list(_records(path)), paths), start=1):
            found += part
            if bar is None and time.monotonic() - started > _SECONDS_BEFORE_PROGRESS:
                bar = progress.Progress(label="labels", unit="shards", total=len(paths), done=done)
            elif bar is not None:
                bar.update(done)
    if bar is not None:
        bar.close()
    return found


def _records(path) -> Iterator[_Record]:
    with filesystems.openable_path(path).open("rb") as file:
        for number, (offset, start, length) in enumerate(shard_files.record_places(path)):
            file.seek(start)
            head = file.read(min(length, _HEAD_BYTES))
            needed = min(_context_end(head) or length, length)
            head = head[:needed] + file.read(max(0, needed - len(head)))
            name, labels = records.name_and_labels(head)
            # A record without a name is called by its place.
            yield _Record(path, offset, name or f"{os.path.basename(path)}#{number}", labels)


def _context_end(head: bytes) -> int | None:
    """Returns where the context of a SequenceExample ends; None where it does not come first."""
    if not head.startswith(_CONTEXT_TAG):
        return None
    length = 0
    for place, byte in enumerate(head[1:]):  # A varint: seven bits a byte, the lowest first.
        length |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return 2 + place + length
    return None
