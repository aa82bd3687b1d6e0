# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tables of embeddings as files: .npz, .parquet, .tfrecord; one and the same content.

Columns: the video's path, `start_us` and `end_us` in microseconds, the embedding. NumPy's file has
them as the arrays `paths`, `start_us`, `end_us`, `embeddings`; the others call them `path`,
`start_us`, `end_us`, `embedding`. Beside them are `folder`, where relative paths start, and
`checksum`, of the model: arrays without dimensions, keys of Parquet's metadata, features of each
record.
"""

import dataclasses
import errno
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
import tensorflow as tf
from google.protobuf import message
from pyarrow import parquet

from official_cvrl import errors, filesystems, outputs
from official_cvrl.serving import rows

_ROWS_A_GROUP = 4096
_FACTS = ("folder", "checksum")
_UNREADABLE = (
    *(KeyError, IndexError, ValueError, OSError, EOFError),
    *(zipfile.BadZipFile, tf.errors.OpError, message.DecodeError),
)


@dataclasses.dataclass(frozen=True)
class Table:
    """A whole table in memory.

    Attributes:
        paths: [num_rows].
        start_us: int64 [num_rows].
        end_us: int64 [num_rows].
        embeddings: float32 [num_rows, dim].
        folder: where relative paths start; "" if it does not tell, as in earlier versions.
        checksum: of the model, see `client.Description`; "" if it does not tell.
    """

    paths: Sequence[str]
    start_us: np.ndarray
    end_us: np.ndarray
    embeddings: np.ndarray
    folder: str = ""
    checksum: str = ""

    def places(self, folder: str = "") -> Sequence[str]:
        """Returns where the video of each row is.

        Args:
            folder: where relative paths start now; "" for where they did, if that is still there.
        """
        start = folder or (self.folder if os.path.isdir(self.folder) else "")
        if not start or os.path.abspath(start) == os.getcwd():
            return self.paths
        return [os.path.join(start, path) for path in self.paths]


def refuse_unknown(output: str) -> None:
    """Tries the name of an output.

    Raises:
        UserError: its ending names no format, or a file of that name cannot be written.
    """
    filesystems.refuse_remote(output, option="--output")
    outputs.refuse_unwritable(output)
    if os.path.splitext(output)[1] not in _FORMATS:
        raise errors.UserError(f"--output={output} must end in {', '.join(_FORMATS)}.")


def refuse_other_model(output: str, checksum: str) -> None:
    """Keeps a finished table from being replaced by another model's.

    Args:
        output: a name that `refuse_unknown` takes. No file, and one that is no table, will do.
        checksum: of the model that is to write it; "" if nobody knows; then nothing is refused.

    Raises:
        UserError: the output is a table of a model with another checksum.
    """
    try:
        there = _FORMATS[os.path.splitext(output)[1]].read_facts(output).get("checksum", "")
    except _UNREADABLE:
        return
    if checksum and there and there != checksum:
        raise errors.UserError(
            f"{output} is a finished table of another model ({there}, now {checksum}). Remove it "
            "to make it anew, or give another --output."
        )


def write(
    output: str, videos: Iterable[rows.Rows], *, folder: str = "", checksum: str = ""
) -> tuple[int, int]:
    """Writes the rows of videos in their order; the file appears whole or not at all.

    Args:
        output: its ending names the format.
        videos: at least one; they are taken one after the other.
        folder: where relative paths start; "" if nobody is to know.
        checksum: of the model; "" if nobody knows.

    Returns:
        How many rows, and of how many numbers.

    Raises:
        UserError: the output cannot be written.
    """
    write_to = _FORMATS[os.path.splitext(output)[1]].write
    counts, shape = [], [0]

    def counting():
        for video in videos:
            counts.append(len(video.embeddings))
            shape[:] = video.embeddings.shape[1:]
            yield video

    with outputs.whole_file(output) as file:
        write_to(file, counting(), {"folder": folder, "checksum": checksum})
    return sum(counts), *shape


def read(path: str) -> Table:
    """Reads what `write` wrote.

    Raises:
        UserError: no such file, or no table of embeddings.
    """
    suffix = os.path.splitext(path)[1]
    if suffix not in _FORMATS or not os.path.isfile(path):
        raise errors.UserError(
            f"{path!r} is no table of embeddings; make one with python -m "
            f"official_cvrl.serving.extract ({', '.join(_FORMATS)})."
        )
    try:
        return _FORMATS[suffix].read(path)
    except _UNREADABLE as error:
        raise errors.UserError(f"{path!r} is no table of embeddings: {error}.") from error


def _write_npz(file: BinaryIO, videos, facts):
    with zipfile.ZipFile(file, "w") as archive:
        paths, starts, ends = [], [], []
        # How many rows there are is known at the end only, so they wait in a file of their own.
        with tempfile.TemporaryFile(dir=os.path.dirname(file.name) or ".") as waiting:
            for video in videos:
                paths += [video.path] * len(video.start_us)
                starts.append(video.start_us)
                ends.append(video.end_us)
                waiting.write(video.embeddings.tobytes())
            shape = (len(paths), video.embeddings.shape[1])
            _write_member(archive, "paths", np.array(paths))
            _write_member(archive, "start_us", np.concatenate(starts))
            _write_member(archive, "end_us", np.concatenate(ends))
            waiting.flush()
            embeddings = np.memmap(waiting, np.float32, "r", shape=shape)
            _write_member(archive, "embeddings", embeddings)
            for name, value in facts.items():
                _write_member(archive, name, np.array(value))


def _write_member(archive, name, values):
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        np.lib.format.write_array(member, np.asanyarray(values), allow_pickle=False)


def _read_npz(path):
    with np.load(path, allow_pickle=False) as table:
        columns = ("start_us", "end_us", "embeddings")
        paths, values = table["paths"].tolist(), [table[name] for name in columns]
    return Table(paths, *values, **_npz_facts(path))


def _npz_facts(path):
    with np.load(path, allow_pickle=False) as table:  # Which reads no array that is not asked for.
        return {name: str(table[name]) for name in _FACTS if name in table}


def _write_parquet(file: BinaryIO, videos, facts):
    writer = None
    for batch in _batched(videos):
        dim = batch[0].embeddings.shape[1]
        values = np.concatenate([video.embeddings for video in batch])
        embedding = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), dim)
        table = pa.table(
            {
                "path": [video.path for video in batch for _ in video.start_us],
                "start_us": np.concatenate([video.start_us for video in batch]),
                "end_us": np.concatenate([video.end_us for video in batch]),
                "embedding": embedding,
            },
            metadata=facts,
        )
        writer = writer or parquet.ParquetWriter(file, table.schema)
        writer.write_table(table)
    writer.close()


def _batched(videos):
    """Lists of videos that have enough rows together for a group of Parquet's."""
    batch, num_rows = [], 0
    for video in videos:
        batch.append(video)
        num_rows += len(video.start_us)
        if num_rows >= _ROWS_A_GROUP:
            yield batch
            batch, num_rows = [], 0
    if batch:
        yield batch


def _read_parquet(path):
    table = parquet.read_table(path)
    embedding = table["embedding"].combine_chunks()
    return Table(
        table["path"].to_pylist(),
        table["start_us"].to_numpy(),
        table["end_us"].to_numpy(),
        embedding.flatten().to_numpy().reshape(len(table), -1),
        **_parquet_facts(path),
    )


def _parquet_facts(path):
    metadata = parquet.read_schema(path).metadata or {}
    return {name: metadata[name.encode()].decode() for name in _FACTS if name.encode() in metadata}


def _write_tfrecord(file: BinaryIO, videos, facts):
    try:
        with tf.io.TFRecordWriter(file.name) as writer:
            for video in videos:
                for row in zip(video.start_us, video.end_us, video.embeddings, strict=True):
                    writer.write(_example(facts, video.path, *row).SerializeToString())
    except tf.errors.OpError as error:  # So TensorFlow says what the disk says to others.
        raise OSError(errno.EIO, error.message) from error


def _example(facts, path, start_us, end_us, embedding):
    texts = facts | {"path": path}
    features = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()]))
        for name, text in texts.items()
    } | {
        "start_us": tf.train.Feature(int64_list=tf.train.Int64List(value=[start_us])),
        "end_us": tf.train.Feature(int64_list=tf.train.Int64List(value=[end_us])),
        "embedding": tf.train.Feature(float_list=tf.train.FloatList(value=embedding)),
    }
    return tf.train.Example(features=tf.train.Features(feature=features))


def _rows_of_tfrecord(path):
    for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
        yield tf.train.Example.FromString(record).features.feature


def _read_tfrecord(path):
    found = list(_rows_of_tfrecord(path))
    if not found:
        raise ValueError("it is empty")
    return Table(
        [row["path"].bytes_list.value[0].decode() for row in found],
        np.array([row["start_us"].int64_list.value[0] for row in found]),
        np.array([row["end_us"].int64_list.value[0] for row in found]),
        np.array([row["embedding"].float_list.value for row in found], np.float32),
        **_tfrecord_facts(path),
    )


def _tfrecord_facts(path):
    row = next(_rows_of_tfrecord(path), {})
    return {name: row[name].bytes_list.value[0].decode() for name in _FACTS if name in row}


class _Format(NamedTuple):
    write: Callable
    read: Callable
    read_facts: Callable


_FORMATS = {
    ".npz": _Format(_write_npz, _read_npz, _npz_facts),
    ".parquet": _Format(_write_parquet, _read_parquet, _parquet_facts),
    ".tfrecord": _Format(_write_tfrecord, _read_tfrecord, _tfrecord_facts),
}
