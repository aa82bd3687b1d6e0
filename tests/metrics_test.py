# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Measures on cases small enough to count by hand."""

import numpy as np
import pytest

from official_cvrl import metrics


def test_top_k_counts_hits_among_the_k_best():
    probabilities = np.array([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3], [0.2, 0.3, 0.5]])
    labels = np.array([2, 0, 0])
    accuracies = [metrics.top_k_accuracy(probabilities, labels, k=k) for k in (1, 2, 3, 5)]
    assert accuracies == pytest.approx([1 / 3, 2 / 3, 1, 1])


def test_equal_scores_do_not_count_as_hits_for_every_class():
    assert metrics.top_k_accuracy(np.zeros([4, 4]), np.arange(4), k=1) == 0.25


def test_knn_weighs_neighbours_by_similarity():
    train = np.array([[1.0, 0.0], [0.6, 0.8], [0.6, 0.8]])
    labels = np.array([0, 1, 1])
    query = np.array([[5.0, 0.5]])
    near = metrics.knn_predictions(train, labels, query, num_neighbors=3, temperature=0.1)
    flat = metrics.knn_predictions(train, labels, query, num_neighbors=3, temperature=100.0)
    assert (near, flat) == (0, 1)


def test_knn_with_fewer_videos_than_neighbours():
    assert metrics.knn_predictions(np.eye(2), np.array([0, 1]), np.eye(2)).tolist() == [0, 1]


def test_normalized_rows_have_length_one_and_zero_stays():
    rows = metrics.normalized(np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0.0, 0.0]], rtol=1e-6)
