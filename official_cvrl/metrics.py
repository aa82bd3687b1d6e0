# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Measures of embeddings and of predictions, in NumPy."""

from collections.abc import Sequence

import numpy as np

# Bounds the memory: similarities of so many videos to the whole training set are held at once.
_QUERIES_AT_ONCE = 256


def top_k_accuracy(probabilities: np.ndarray, labels: np.ndarray, *, k: int) -> float:
    """Returns the share of videos whose label is among the k most probable classes.

    Args:
        probabilities: [num_videos, num_classes], any scores that order the classes. Of equal
            scores the lower class index comes first.
        labels: int [num_videos].
        k: how many classes count; with fewer classes than k every video is right.
    """
    order = top_classes(probabilities, k=k)
    return float(np.mean(np.any(order == labels[:, None], axis=1)))


def top_classes(probabilities: np.ndarray, *, k: int) -> np.ndarray:
    """Returns the k most probable classes, int [num_videos, min(k, num_classes)], the first first.

    Of equal scores the lower class index comes first.
    """
    return np.argsort(-probabilities, axis=1, kind="stable")[:, :k]


def confusion_matrix(
    labels: np.ndarray, predictions: np.ndarray, *, num_classes: int
) -> np.ndarray:
    """Returns int64 [num_classes, num_classes]: videos by label (rows) and prediction (columns).

    Args:
        labels: int [num_videos], each in [0, num_classes).
        predictions: likewise.
        num_classes: how many classes there are.
    """
    cells = np.bincount(labels * num_classes + predictions, minlength=num_classes**2)
    return cells.reshape(num_classes, num_classes).astype(np.int64)


def knn_predictions(
    train_embeddings: np.ndarray,
    train_labels: np.ndarray,
    embeddings: np.ndarray,
    *,
    num_neighbors: int = 10,
    temperature: float = 0.1,
) -> np.ndarray:
    """Classifies by the nearest training embeddings, weighted by exp(cosine / temperature).

    Args:
        train_embeddings: float [num_train, dim].
        train_labels: int [num_train].
        embeddings: float [num_videos, dim].
        num_neighbors: neighbours that vote; at most num_train.
        temperature: of the weights.

    Returns:
        int [num_videos], the class with the greatest sum of weights. Of equally near neighbours
        those of lower index vote, of equal sums the lower class wins.
    """
    predictions = np.empty(len(embeddings), np.int64)
    for block, nearest, similarities in _nearest(embeddings, train_embeddings, num_neighbors):
        weights = np.exp(similarities / temperature)
        votes = np.zeros((len(nearest), int(train_labels.max()) + 1))
        np.add.at(votes, (np.arange(len(votes))[:, None], train_labels[nearest]), weights)
        predictions[block] = votes.argmax(axis=1)
    return predictions


def retrieval_recalls(
    train_embeddings: np.ndarray,
    train_labels: np.ndarray,
    embeddings: np.ndarray,
    labels: np.ndarray,
    *,
    ks: Sequence[int],
) -> Sequence[float]:
    """Returns for each k the share of videos that have their class among their k nearest.

    Nearest of the training videos by cosine; a hit is a hit however many of the k are of the class,
    as retrieval on UCF-101 and HMDB-51 is reported.

    Args:
        train_embeddings: float [num_train, dim].
        train_labels: int [num_train].
        embeddings: float [num_videos, dim], at least one.
        labels: int [num_videos].
        ks: how many of the nearest count; more than num_train are num_train.
    """
    first_hits = np.empty(len(labels), np.int64)
    for block, nearest, _ in _nearest(embeddings, train_embeddings, max(ks)):
        hits = train_labels[nearest] == labels[block, np.newaxis]
        first_hits[block] = np.where(hits.any(axis=1), hits.argmax(axis=1), max(ks))
    return [float(np.mean(first_hits < k)) for k in ks]


def _nearest(embeddings, train_embeddings, count):
    """Yields slices of the queries with their nearest columns and similarities, nearest first."""
    queries, train = normalized(embeddings), normalized(train_embeddings)
    count = min(count, len(train))
    for start in range(0, len(queries), _QUERIES_AT_ONCE):
        block = slice(start, start + _QUERIES_AT_ONCE)
        # The queries are negated, not the many products: nearest is least.
        distances = -queries[block] @ train.T
        nearest = least(distances, count=count)
        yield block, nearest, -np.take_along_axis(distances, nearest, axis=1)


def least(values: np.ndarray, *, count: int) -> np.ndarray:
    """Returns the columns of each row's least values, without a sort of the whole row.

    Args:
        values: [rows, columns].
        count: at least 1, at most columns.

    Returns:
        int [rows, count], the least first; of equal ones the lower column first.
    """
    chosen = np.sort(np.argpartition(values, count - 1, axis=1)[:, :count], axis=1)
    among = np.take_along_axis(values, chosen, axis=1)
    found = np.take_along_axis(chosen, np.argsort(among, axis=1, kind="stable"), axis=1)
    # Where values equal the last chosen one, the partition took any of them.
    last = among.max(axis=1, keepdims=True)
    unsure = np.count_nonzero(values <= last, axis=1) != count
    found[unsure] = np.argsort(values[unsure], axis=1, kind="stable")[:, :count]
    return found


def normalized(embeddings: np.ndarray) -> np.ndarray:
    """Returns the rows divided by their Euclidean norm, float32; zero rows stay zero."""
    embeddings = np.asarray(embeddings, np.float32)
    return embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
