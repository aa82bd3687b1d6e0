# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The rows of a table that lie nearest to an embedding; by an index if there are many."""

import hashlib
import os

import faiss
import numpy as np

from official_cvrl import metrics, outputs

# Beneath it a product with all rows takes less than a second, and an index would gain nothing.
LARGE = 500_000
SUFFIX = ".faiss"
_ROWS_PER_CELL = 39  # The fewest that faiss finds enough to place a cell's centre.
_SHARE_SEARCHED = 0.1


class Exact:
    """Compares with every row.

    Args:
        embeddings: float32 [num_rows, dim].
    """

    def __init__(self, embeddings: np.ndarray):
        self._embeddings = metrics.normalized(embeddings)

    def find(self, query: np.ndarray, *, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns rows and their cosine similarities, the nearest first.

        Args:
            query: float32 [dim].
            count: how many rows, at most.
        """
        similarities = self._embeddings @ metrics.normalized(query[np.newaxis])[0]
        rows = np.argsort(-similarities, kind="stable")[:count]
        return rows, similarities[rows]


class Indexed:
    """Compares with the rows of the nearest cells, a tenth of them all: misses a few.

    Args:
        embeddings: float32 [num_rows, dim].
        path: where the index is kept; it is made if it is not there, or is of other embeddings.

    Raises:
        UserError: the index cannot be written.
    """

    def __init__(self, embeddings: np.ndarray, *, path: str):
        digest = hashlib.sha256(np.ascontiguousarray(embeddings)).digest()
        if not _is_of(digest, path):
            _build(embeddings, digest, path)
        self._index = faiss.read_index(path)
        self._index.nprobe = max(1, round(_SHARE_SEARCHED * self._index.nlist))

    def find(self, query: np.ndarray, *, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns rows and their cosine similarities, the nearest first; see `Exact.find`."""
        similarities, rows = self._index.search(metrics.normalized(query[np.newaxis]), count)
        found = rows[0] >= 0
        return rows[0][found], similarities[0][found]


def _is_of(digest, path):
    """Whether the index at a path ends in the checksum of the embeddings that it is to be of."""
    try:
        with open(path, "rb") as file:
            file.seek(-len(digest), os.SEEK_END)
            return file.read() == digest
    except OSError:
        return False


def _build(embeddings, digest, path):
    vectors = metrics.normalized(embeddings)
    count, dim = vectors.shape
    cells = max(1, min(round(4 * count**0.5), count // _ROWS_PER_CELL))
    anew = "once; what is there is of other embeddings" if os.path.exists(path) else "once"
    print(f"Making {path}, {anew}: {count:,} rows in {cells:,} cells …", flush=True)
    index = faiss.index_factory(dim, f"IVF{cells},Flat", faiss.METRIC_INNER_PRODUCT)
    index.train(vectors)
    index.add(vectors)
    with outputs.whole_file(path, setting="--index=TABLE") as file:  # It lies beside the table.
        file.write(faiss.serialize_index(index))
        file.write(digest)  # faiss reads as far as an index reaches.
