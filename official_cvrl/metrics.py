# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Measures of embeddings and of predictions, in NumPy."""

import numpy as np


def top_k_accuracy(probabilities: np.ndarray, labels: np.ndarray, *, k: int) -> float:
    """Returns the share of videos whose label is among the k most probable classes.

    Args:
        probabilities: [num_videos, num_classes], any scores that order the classes. Of equal
            scores the lower class index comes first.
        labels: int [num_videos].
        k: how many classes count; with fewer classes than k every video is right.
    """
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return float(np.mean(np.any(order == labels[:, None], axis=1)))


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
        int [num_videos], the class with the greatest sum of weights.
    """
    similarities = normalized(embeddings) @ normalized(train_embeddings).T
    num_neighbors = min(num_neighbors, len(train_labels))
    nearest = np.argsort(-similarities, axis=1, kind="stable")[:, :num_neighbors]
    weights = np.exp(np.take_along_axis(similarities, nearest, axis=1) / temperature)
    votes = np.zeros((len(embeddings), int(train_labels.max()) + 1))
    for column in range(num_neighbors):
        np.add.at(
            votes, (np.arange(len(votes)), train_labels[nearest[:, column]]), weights[:, column]
        )
    return votes.argmax(axis=1)


def normalized(embeddings: np.ndarray) -> np.ndarray:
    """Returns the rows divided by their Euclidean norm, float32; zero rows stay zero."""
    embeddings = np.asarray(embeddings, np.float32)
    return embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
