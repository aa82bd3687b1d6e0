# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A split's videos as embeddings, kept in a file that says what they are of."""

import contextlib
import dataclasses
import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from official_cvrl import manifest, outputs

_BROKEN = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


@dataclasses.dataclass(frozen=True)
class Table:
    """A split's videos.

    Attributes:
        example_ids: str [num_videos].
        labels: int64 [num_videos]; -1 for none.
        embeddings: float32 [num_videos, dim], the mean over the clips of a video.
    """

    example_ids: np.ndarray
    labels: np.ndarray
    embeddings: np.ndarray

    def take(self, chosen: np.ndarray) -> "Table":
        """Returns some of the videos: by a mask, or by their numbers."""
        return Table(*(getattr(self, field.name)[chosen] for field in dataclasses.fields(self)))


def kept(
    folder: str, shards: manifest.ShardSet, made_of: Mapping[str, object], make: Callable[[], Table]
) -> Table:
    """Returns a split's table out of a file of the folder, made first if it is not there.

    The file's name carries a digest of what its content depends on, so another checkpoint, other
    clips or other shards never find it.

    Args:
        folder: for the file, `embeddings-SPLIT-DIGEST.npz`, with `example_ids`, `labels` and
            `embeddings`.
        shards: the split.
        made_of: what else the embeddings depend on.
        make: makes the table.

    Raises:
        UserError: the file cannot be written.
    """
    digest = _digest({**made_of, "shards": [_state(path) for path in shards.paths]})
    path = os.path.join(folder, f"embeddings-{shards.split}-{digest}.npz")
    with contextlib.suppress(*_BROKEN):
        return _read(path)
    table = make()
    with outputs.whole_file(path, setting="--output=DIR") as file:
        np.savez(file, **dataclasses.asdict(table))
    return table


def _read(path):
    with np.load(path, allow_pickle=False) as file:
        found = Table(*(file[field.name] for field in dataclasses.fields(Table)))
    print(f"Embeddings that are there already: {path}", flush=True)
    return found


def _digest(made_of):
    text = json.dumps(made_of, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _state(path):
    found = tf.io.gfile.stat(path)
    return os.path.abspath(path), found.length, found.mtime_nsec
