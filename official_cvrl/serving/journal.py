# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Keeps finished videos beside the output until it is written, so that a killed run goes on."""

import fcntl
import json
import os
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping

from official_cvrl import errors
from official_cvrl.serving import rows

# Before each entry: its length and its checksum. A kill may leave half an entry at the end.
_HEAD = struct.Struct("<QI")
SUFFIX = ".journal"


class Journal:
    """The finished videos of an extraction, on disk; memory holds their names alone.

    Args:
        output: the journal is beside it.
        settings: what rows depend on. Those of another extraction are not gone on with.

    Raises:
        UserError: the journal is in use, of another extraction, or cannot be written.
    """

    def __init__(self, output: str, *, settings: Mapping[str, object]):
        self._path = output + SUFFIX
        self._places: dict[str, int] = {}
        try:
            self._file = open(self._path, "a+b")  # noqa: SIM115
        except OSError as error:
            raise errors.UserError(f"{self._path} cannot be written: {error.strerror}.") from error
        try:
            self._lock()
            self._open(json.dumps(settings, sort_keys=True))
        except BaseException:
            self._file.close()
            raise

    def __len__(self):
        return len(self._places)

    def __contains__(self, path: str):
        return path in self._places

    def append(self, found: rows.Rows) -> None:
        """Keeps a video's rows; they survive the process from here on."""
        self._places[found.path] = self._write(found.to_bytes())

    def read(self, paths: Iterable[str]) -> Iterator[rows.Rows]:
        """Yields what is kept of some videos, in their order; one after the other is in memory."""
        for path in paths:
            if path in self._places:
                yield rows.Rows.from_bytes(self._read(self._places[path]))

    def close(self, *, keep: bool) -> None:
        """Ends it; with `keep` what is in it stays for the next run, if anything is."""
        if not (keep and self._places):
            os.remove(self._path)
        self._file.close()

    def _lock(self):
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise errors.UserError(
                f"{self._path} is in use: another extraction writes the same output."
            ) from error

    def _open(self, settings):
        there = self._read(0)
        if there is None:
            self._file.truncate(0)
            self._write(settings.encode())
        elif there.decode() != settings:
            raise errors.UserError(
                f"{self._path} is what an extraction of other settings has finished: "
                f"{there.decode()}, now {settings}. Give those settings to go on with it, or "
                "delete it to start anew."
            )
        else:
            self._find_entries(_HEAD.size + len(there))

    def _find_entries(self, place):
        while (data := self._read(place)) is not None:
            self._places[rows.Rows.from_bytes(data).path] = place
            place += _HEAD.size + len(data)
        self._file.truncate(place)

    def _write(self, data):
        place = self._file.seek(0, os.SEEK_END)
        self._file.write(_HEAD.pack(len(data), zlib.crc32(data)) + data)
        self._file.flush()
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
