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


def _knn_by_sorting_all(train, train_labels, queries, *, num_neighbors, temperature):
    """Counts the votes of one query after the other; all rows have length one."""
    predictions = []
    for query in queries:
        similarities = train @ query
        nearest = sorted(range(len(train)), key=lambda i: (-similarities[i], i))[:num_neighbors]
        votes = np.zeros(train_labels.max() + 1)
        for index in nearest:
            votes[train_labels[index]] += np.exp(similarities[index] / temperature)
        predictions.append(int(votes.argmax()))
    return predictions


@pytest.mark.parametrize("num_neighbors", [1, 3, 10, 90])
def test_knn_is_that_of_a_sort_of_all_also_where_many_are_equally_near(num_neighbors):
    generator = np.random.default_rng(0)
    # Rows of ±1/4 have length one and products that are exact, so equal ones are equal.
    signs = generator.choice(np.float32([-0.25, 0.25]), [690, 16])
    train, queries = signs[:90], signs[90:]
    labels = generator.integers(0, 7, 90)
    settings = {"num_neighbors": num_neighbors, "temperature": 0.5}
    found = metrics.knn_predictions(train, labels, queries, **settings)
    assert found.tolist() == _knn_by_sorting_all(train, labels, queries, **settings)


def test_knn_of_equally_near_neighbours_asks_the_first():
    train, query = np.ones([50, 2]), np.ones([1, 2])
    labels = np.array([2, 2, 1, *[0] * 47])
    assert metrics.knn_predictions(train, labels, query, num_neighbors=3) == 2


@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_least_is_the_beginning_of_a_stable_sort(count):
    values = np.random.default_rng(0).integers(0, 9, [50, 40]).astype(np.float32)
    values[0], values[1] = np.nan, 3
    expected = np.argsort(values, axis=1, kind="stable")[:, :count]
    np.testing.assert_array_equal(metrics.least(values, count=count), expected)


def _recalls_one_by_one(train, labels, queries, query_labels, ks):
    hits = np.zeros([len(queries), len(ks)])
    for row, query in enumerate(queries):
        cosines = [query @ other / np.linalg.norm(query) / np.linalg.norm(other) for other in train]
        order = sorted(range(len(train)), key=lambda column: (-cosines[column], column))
        for place, k in enumerate(ks):
            hits[row, place] = query_labels[row] in [labels[column] for column in order[:k]]
    return hits.mean(axis=0).tolist()


def test_retrieval_is_what_sorting_all_gives():
    generator = np.random.default_rng(1)
    train, queries = generator.normal(size=[60, 5]), generator.normal(size=[300, 5])
    labels, query_labels = generator.integers(0, 12, 60), generator.integers(0, 13, 300)
    ks = (1, 5, 10, 20, 500)
    found = metrics.retrieval_recalls(train, labels, queries, query_labels, ks=ks)
    assert found == pytest.approx(_recalls_one_by_one(train, labels, queries, query_labels, ks))
    assert found == sorted(found)
    assert found[-1] == np.mean(np.isin(query_labels, labels)) < 1


def test_confusions_are_counted_by_label_and_prediction():
    found = metrics.confusion_matrix(np.array([0, 2, 2, 2]), np.array([0, 1, 1, 2]), num_classes=3)
    assert found.tolist() == [[1, 0, 0], [0, 0, 0], [0, 2, 1]]
    assert metrics.confusion_matrix(*np.zeros([2, 0], int), num_classes=2).tolist() == [[0, 0]] * 2


def test_knn_without_queries():
    assert metrics.knn_predictions(np.eye(2), np.array([0, 1]), np.zeros([0, 2])).tolist() == []


def test_normalized_rows_have_length_one_and_zero_stays():
    rows = metrics.normalized(np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0.0, 0.0]], rtol=1e-6)
