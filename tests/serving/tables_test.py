# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Three formats, one content, which others read as well."""

import gc

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from pyarrow import parquet

from official_cvrl import errors
from official_cvrl.serving import rows, tables
from tests import full_disk

_SUFFIXES = [".npz", ".parquet", ".tfrecord"]


def _videos():
    rng = np.random.default_rng(0)
    for path, count in (("a.mp4", 1), ("ü/b.mp4", 3)):
        starts = np.arange(count) * 1_000_000
        embeddings = rng.normal(size=[count, 5]).astype(np.float32)
        yield rows.Rows(path, starts, starts + 2_000_000, embeddings)


@pytest.mark.parametrize("suffix", _SUFFIXES)
@pytest.mark.parametrize("folder", ["", "/ü/here"])
def test_what_is_written_is_read(tmp_path, suffix, folder):
    output = str(tmp_path / f"x{suffix}")
    assert tables.write(output, _videos(), folder=folder, checksum="sha256 1") == (4, 5)
    table = tables.read(output)
    assert (table.folder, table.checksum) == (folder, "sha256 1")
    first, second = _videos()
    assert list(table.paths) == ["a.mp4", "ü/b.mp4", "ü/b.mp4", "ü/b.mp4"]
    np.testing.assert_array_equal(table.start_us, [0, 0, 1_000_000, 2_000_000])
    np.testing.assert_array_equal(table.end_us, [2_000_000, 2_000_000, 3_000_000, 4_000_000])
    assert table.embeddings.dtype == np.float32
    np.testing.assert_array_equal(
        table.embeddings, np.concatenate([first.embeddings, second.embeddings])
    )
    assert [path.name for path in tmp_path.iterdir()] == [f"x{suffix}"]


def test_a_table_of_an_earlier_version_tells_no_folder(tmp_path):
    names = ("paths", "start_us", "end_us", "embeddings")
    np.savez(tmp_path / "x.npz", **{name: np.zeros([1, 1]) for name in names})
    assert tables.read(str(tmp_path / "x.npz")).folder == ""
    kept = {"path": ["a.mp4"], "start_us": [0], "end_us": [1], "embedding": [[1.0]]}
    parquet.write_table(pa.table(kept), tmp_path / "x.parquet")
    assert tables.read(str(tmp_path / "x.parquet")).folder == ""


def test_places_start_where_the_table_says_if_that_is_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    nothing = np.zeros([2, 1])

    def places(kept, now=""):
        table = tables.Table(["a.mp4", "/b.mp4"], nothing, nothing, nothing, folder=kept)
        return table.places(now)

    (tmp_path / "a").mkdir()
    assert places("") == places(str(tmp_path)) == places(f"{tmp_path}/gone") == ["a.mp4", "/b.mp4"]
    assert places(f"{tmp_path}/a") == [f"{tmp_path}/a/a.mp4", "/b.mp4"]
    assert places(f"{tmp_path}/a", now="moved") == ["moved/a.mp4", "/b.mp4"]


def test_others_read_them_too(tmp_path):
    first, _ = _videos()
    for suffix in _SUFFIXES:
        tables.write(str(tmp_path / f"x{suffix}"), _videos())
    with np.load(tmp_path / "x.npz") as npz:
        np.testing.assert_array_equal(npz["embeddings"][:1], first.embeddings)
        assert npz["paths"][0] == "a.mp4"
    row = parquet.read_table(tmp_path / "x.parquet").slice(0, 1).to_pydict()
    assert (row["path"], row["start_us"], row["end_us"]) == (["a.mp4"], [0], [2_000_000])
    np.testing.assert_array_equal(row["embedding"], first.embeddings)
    parsed = tf.io.parse_single_example(
        next(iter(tf.data.TFRecordDataset(str(tmp_path / "x.tfrecord")))),
        {
            "path": tf.io.FixedLenFeature([], tf.string),
            "embedding": tf.io.VarLenFeature(tf.float32),
        },
    )
    assert parsed["path"] == b"a.mp4"
    np.testing.assert_array_equal(parsed["embedding"].values, first.embeddings[0])


def test_parquet_of_more_rows_than_a_group(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_ROWS_A_GROUP", 2)
    tables.write(str(tmp_path / "x.parquet"), [*_videos(), *_videos()])
    assert parquet.ParquetFile(tmp_path / "x.parquet").num_row_groups == 2
    assert len(tables.read(str(tmp_path / "x.parquet")).paths) == 8


def test_the_work_grows_with_the_rows_and_not_with_their_square(tmp_path):
    counted = []

    class Times(np.ndarray):
        def __len__(self):
            counted.append(1)
            return super().__len__()

    times, embeddings = np.zeros([1], np.int64).view(Times), np.zeros([1, 3], np.float32)
    videos = [rows.Rows(f"{number}.mp4", times, times, embeddings) for number in range(300)]
    tables.write(str(tmp_path / "x.parquet"), videos)
    assert len(counted) == len(tables.read(str(tmp_path / "x.parquet")).paths) == 300


@pytest.mark.parametrize("suffix", _SUFFIXES)
def test_a_fault_on_the_way_leaves_what_was_there(tmp_path, suffix):
    output = tmp_path / f"x{suffix}"
    output.write_bytes(b"before")

    def broken():
        yield from _videos()
        raise ValueError("on the way")

    with pytest.raises(ValueError, match="on the way"):
        tables.write(str(output), broken())
    assert output.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.parametrize("suffix", _SUFFIXES)
@pytest.mark.parametrize("num_bytes", [10, 3000, 150_000])
def test_a_full_disk_leaves_what_was_there(tmp_path, suffix, num_bytes, recwarn, capsys):
    output = tmp_path / f"x{suffix}"
    output.write_bytes(b"before")
    embeddings = np.random.default_rng(0).random([50, 1000], np.float32)
    large = rows.Rows("a.mp4", np.arange(50), np.arange(50), embeddings)
    with full_disk.full_after(num_bytes), pytest.raises(errors.UserError) as caught:
        tables.write(str(output), [large])
    caught.match(f"{output}' cannot be written: .*[Ll]arge.* has room")
    assert output.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [output]
    del caught
    gc.collect()
    assert not recwarn.list
    assert not capsys.readouterr().err


@pytest.mark.parametrize("suffix", [*_SUFFIXES, ".csv"])
def test_no_table_is_named(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    for content in (None, b"", b"not a table of any kind, but longer than a header"):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(errors.UserError, match="no table of embeddings"):
            tables.read(str(path))


def test_records_of_something_else_are_no_table(tmp_path):
    path = str(tmp_path / "x.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(b"\xff no example")
    with pytest.raises(errors.UserError, match="no table of embeddings"):
        tables.read(path)
    tables.refuse_other_model(path, "sha256 1")


def test_an_ending_that_names_no_format(tmp_path):
    with pytest.raises(errors.UserError, match=r"x\.csv must end in \.npz, \.parquet, \.tfrecord"):
        tables.refuse_unknown(str(tmp_path / "x.csv"))


@pytest.mark.parametrize("suffix", _SUFFIXES)
def test_a_finished_table_of_another_model_is_not_replaced(tmp_path, suffix):
    output = str(tmp_path / f"x{suffix}")
    for content in (None, b"", b"no table"):
        if content is not None:
            (tmp_path / f"x{suffix}").write_bytes(content)
        tables.refuse_other_model(output, "sha256 1")
    tables.write(output, _videos())
    tables.refuse_other_model(output, "sha256 1")
    tables.write(output, _videos(), checksum="sha256 1")
    for same_or_unknown in ("sha256 1", ""):
        tables.refuse_other_model(output, same_or_unknown)
    with pytest.raises(errors.UserError, match=f"{output} is .*another model .sha256 1, now.*2.*R"):
        tables.refuse_other_model(output, "sha256 2")
