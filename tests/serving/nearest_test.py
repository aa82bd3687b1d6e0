# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The nearest rows are the nearest; an index finds nearly all of them and is of its table."""

import os

import numpy as np
import pytest

from official_cvrl import errors
from official_cvrl.serving import nearest


def _embeddings(count, dim=8, seed=0):
    return np.random.default_rng(seed).normal(size=[count, dim]).astype(np.float32)


def test_cosines_whatever_the_lengths():
    embeddings = np.array([[0, 1], [3, 3], [100, 1], [-1, 0]], np.float32)
    rows, similarities = nearest.Exact(embeddings).find(np.array([5, 0], np.float32), count=3)
    assert rows.tolist() == [2, 1, 0]
    np.testing.assert_allclose(similarities, [100 / np.hypot(100, 1), 0.5**0.5, 0], atol=1e-6)


def test_an_index_is_made_once_and_finds_what_comparing_all_does(tmp_path, capsys):
    embeddings, path = _embeddings(4000), str(tmp_path / "x.npz.faiss")
    exact, queries = nearest.Exact(embeddings), _embeddings(20, seed=1)
    recalls = []
    for query in queries:
        indexed = nearest.Indexed(embeddings, path=path)
        rows, similarities = indexed.find(query, count=10)
        wanted, wanted_similarities = exact.find(query, count=10)
        recalls.append(len({*rows} & {*wanted}) / 10)
        np.testing.assert_allclose(similarities[0], wanted_similarities[0], rtol=0.2)
    assert np.mean(recalls) > 0.7
    assert capsys.readouterr().out.count("Making") == 1


@pytest.mark.parametrize("other", ["a number", "a row", "half a file", "another file"])
def test_an_index_of_other_embeddings_is_made_anew(tmp_path, capsys, other):
    file, embeddings = tmp_path / "x.faiss", _embeddings(100)
    nearest.Indexed(embeddings, path=str(file))
    before = file.stat()
    if other == "a number":
        embeddings[7, 3] = -embeddings[7, 3]
    elif other == "a row":
        embeddings = embeddings[1:]
    elif other == "half a file":
        file.write_bytes(file.read_bytes()[:-1000])
    else:
        file.write_bytes(b"text")
    # Made of the new embeddings, it is not older than they are.
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 10**12))
    query = embeddings[7]
    rows, similarities = nearest.Indexed(embeddings, path=str(file)).find(query, count=1)
    assert rows.tolist() == [7]
    np.testing.assert_allclose(similarities, [1], atol=1e-6)
    said = capsys.readouterr().out.splitlines()
    assert [line.count("is of other embeddings") for line in said] == [0, 1]
    nearest.Indexed(embeddings, path=str(file))
    assert not capsys.readouterr().out


def test_an_index_that_cannot_be_written_is_told_with_the_table_it_lies_beside(tmp_path):
    path = str(tmp_path / "gone" / "x.npz.faiss")
    with pytest.raises(errors.UserError, match="cannot be written.* Give --index=TABLE in a"):
        nearest.Indexed(_embeddings(100), path=path)
