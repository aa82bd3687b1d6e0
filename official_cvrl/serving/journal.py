# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Keeps finished videos beside the output until it is written, so that a killed run goes on."""

import dataclasses
import fcntl
import json
import os
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from official_cvrl import errors
from official_cvrl.serving import rows

# Before each entry: its length and its checksum. A kill may leave half an entry at the end.
_HEAD = struct.Struct("<QI")
SUFFIX = ".journal"
# How far one model's answers lie apart, of the largest number: it rounds to 16 bits, or its server
# batches and moves between machines.
_ROUNDING = 0.02
_OF_THE_MODEL = ("model", "num_frames")  # The other settings are flags.


@dataclasses.dataclass(frozen=True)
class _Entry:
    """What memory holds of a finished video; its rows stay on disk."""

    place: int
    fault: str
    state: Sequence[int]


class Journal:
    """The finished videos of an extraction, on disk.

    Args:
        output: the journal is beside it.
        settings: what rows depend on, as JSON has it: flags by name, and what the model is. Those
            of another extraction are not gone on with.
        sample: float32 [dim], what the model says to a sample clip, which tells models of one name
            apart.

    Raises:
        UserError: the journal is in use, of another extraction, or cannot be written.
    """

    def __init__(self, output: str, *, settings: Mapping[str, object], sample: np.ndarray):
        self._path = output + SUFFIX
        self._entries: dict[str, _Entry] = {}
        try:
            # Without a buffer: what did not fit on the disk would be written again at the end.
            self._file = open(self._path, "a+b", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise errors.UserError(f"{self._path} cannot be written: {error.strerror}.") from error
        try:
            self._lock()
            self._open(settings, sample)
        except BaseException:
            self._file.close()
            raise

    def __len__(self):
        return len(self._entries)

    def __contains__(self, path: str):
        return path in self._entries

    def append(self, found: rows.Rows) -> None:
        """Keeps a video's rows; they survive the process from here on.

        Raises:
            UserError: the disk is full; the journal is then as it was before.
        """
        place = self._write(found.to_bytes())
        self._entries[found.path] = _Entry(place, found.fault, found.state)

    def forget_changed(self, states: Mapping[str, Sequence[int]]) -> int:
        """Takes videos out whose files have another state now; returns how many."""
        there = states.keys() & self._entries.keys()
        changed = [path for path in there if self._entries[path].state != states[path]]
        for path in changed:
            del self._entries[path]
        return len(changed)

    def read(self, paths: Iterable[str]) -> Iterator[rows.Rows]:
        """Yields what is kept of some videos, in their order; one after the other is in memory."""
        for path in paths:
            if path in self:
                yield rows.Rows.from_bytes(self._read(self._entries[path].place))

    def faults(self, paths: Iterable[str]) -> Sequence[rows.Fault]:
        """Returns what is lost of those videos whose rows are kept, in the order of `paths`."""
        kept = [(path, self._entries[path].fault) for path in paths if path in self]
        return [rows.Fault(path, fault) for path, fault in kept if fault]

    def close(self, *, keep: bool) -> None:
        """Ends it; with `keep` what is in it stays for the next run, if anything is."""
        if not (keep and self._entries):
            os.remove(self._path)
        self._file.close()

    def _lock(self):
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise errors.UserError(
                f"{self._path} is in use: another extraction writes the same output."
            ) from error

    def _open(self, settings, sample):
        there = self._read(0)
        if there is None:
            self._begin({"settings": settings, "sample": sample.tolist()})
        else:
            self._refuse_other(json.loads(there), settings, sample)
            self._find_entries(_HEAD.size + len(there))

    def _begin(self, head):
        self._file.truncate(0)
        try:
            self._write(json.dumps(head).encode())
        except errors.UserError:
            os.remove(self._path)
            raise

    def _refuse_other(self, head, settings, sample):
        kept = head.get("settings", head)
        if kept != settings:
            raise errors.UserError(
                f"{self._path} is what an extraction of other settings has begun: "
                f"{_told(kept, but=settings)} there, {_told(settings, but=kept)} now. Give those "
                "settings to go on with it, or delete it to start anew."
            )
        if not _are_alike(np.array(head["sample"]), sample):
            raise errors.UserError(
                f"{self._path} is what another model of the same name has begun: it embeds a "
                f"sample clip otherwise ({_told(settings)}). Have that model served again to go on "
                "with it, or delete it to start anew."
            )

    def _find_entries(self, place):
        while (data := self._read(place)) is not None:
            found = rows.Rows.from_bytes(data)
            self._entries[found.path] = _Entry(place, found.fault, found.state)
            place += _HEAD.size + len(data)
        self._file.truncate(place)

    def _write(self, data):
        place = self._file.seek(0, os.SEEK_END)
        left = memoryview(_HEAD.pack(len(data), zlib.crc32(data)) + data)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            self._file.truncate(place)
            raise errors.UserError(
                f"{self._path} cannot be written: {error.strerror}. What is in it is kept: make "
                "room there, and the same command goes on."
            ) from error
        return place

    def _read(self, place):
        """The entry at a place, or None if it is not there whole."""
        self._file.seek(place)
        head = self._file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return None
        length, checksum = _HEAD.unpack(head)
        data = self._file.read(min(length, os.fstat(self._file.fileno()).st_size))
        return data if len(data) == length and zlib.crc32(data) == checksum else None


def _told(settings, *, but=None):
    """Settings as they are given, those alone that others lack or have otherwise."""
    others = but or {}
    unlike = {name: value for name, value in settings.items() if others.get(name) != value}
    told = (
        f"{name} {value}" if name in _OF_THE_MODEL else f"--{name}={value}"
        for name, value in unlike.items()
    )
    return ", ".join(told) or "none"


def _are_alike(one, other):
    if one.shape != other.shape:
        return False
    return bool(np.abs(one - other).max() <= _ROUNDING * np.abs(other).max())
