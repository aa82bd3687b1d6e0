# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""How records lie in the file of a shard: their lengths and places, found without reading them."""

import gzip
import itertools
import os
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from etils import epath

from official_cvrl import errors, filesystems

SAME_COMMAND = "run the same convert command again (it redoes only what is missing) or copy it anew"

_GZIP_MAGIC = b"\x1f\x8b\x08"
_RECORD_HEADER = 12  # uint64 length and its uint32 checksum
_RECORD_FOOTER = 4  # uint32 checksum of the data


def record_lengths(path: str | os.PathLike[str]) -> Iterator[int]:
    """Yields the number of bytes of each record of a shard without reading the records.

    Raises:
      UserError: the shard is truncated, or is not a TFRecord file.
    """
    path = filesystems.openable_path(path)
    with path.open("rb") as file:
        if compression_of(path):
            yield from _walk(gzip.GzipFile(fileobj=file), path=path, size=None)
        else:
            yield from _walk(file, path=path, size=path.stat().length)


def record_places(path: str | os.PathLike[str]) -> Iterator[tuple[int, int, int]]:
    """Yields of each record of an uncompressed shard where it begins, where its data do, how many.

    Errors as of `record_lengths`.
    """
    offset = 0
    for length in record_lengths(path):
        yield offset, offset + _RECORD_HEADER, length
        offset += _RECORD_HEADER + length + _RECORD_FOOTER


def _walk(file: BinaryIO, *, path: epath.Path, size: int | None) -> Iterator[int]:
    for index in itertools.count():
        try:
            header = file.read(_RECORD_HEADER)
            if not header:
                return
            whole = len(header) == _RECORD_HEADER
            length = struct.unpack_from("<Q", header)[0] if whole else 0
            whole = whole and _skip(file, length + _RECORD_FOOTER, size=size)
        except EOFError:  # A GZIP stream that stops before its end.
            whole = False
        except (OSError, zlib.error) as error:
            raise errors.UserError(f"{path}: cannot be read: {errors.words(error)}.") from error
        if not whole:
            raise errors.UserError(_truncated_message(path, index=index))
        yield length


def _skip(file: BinaryIO, count: int, *, size: int | None) -> bool:
    """Moves `count` bytes ahead; returns whether the file has them."""
    if size is not None:
        if file.tell() + count > size:
            return False
        file.seek(count, os.SEEK_CUR)
        return True
    while count:
        chunk = file.read(min(count, 1 << 20))
        if not chunk:
            return False
        count -= len(chunk)
    return True


def _truncated_message(path: epath.Path, *, index: int) -> str:
    if index == 0:
        return (
            f"{path}: the shard is truncated within its first record, or is not a TFRecord file; "
            f"{SAME_COMMAND}."
        )
    return f"{path}: the shard is truncated: it ends within record {index}; {SAME_COMMAND}."


def compression_of(path: str | os.PathLike[str]) -> str:
    """Returns `"GZIP"` or `""`, by the first bytes of a shard."""
    with filesystems.openable_path(path).open("rb") as file:
        return "GZIP" if file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC else ""
