# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The linear probe: its objective, what it is chosen by, and that test videos say nothing."""

import dataclasses

import numpy as np
import pytest

from official_cvrl import errors
from official_cvrl.probe import linear, table


def _videos(count, *, num_classes=3, dim=6, noise=1.0, seed=0, names="video {}"):
    """Videos whose class shows in the first dimensions, classes in turn."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % num_classes
    embeddings = noise * generator.normal(size=[count, dim]) + 2 * np.eye(dim)[labels]
    example_ids = np.array([names.format(number) for number in range(count)])
    return table.Table(example_ids, labels, embeddings.astype(np.float32))


def _softmax(logits):
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_probabilities_are_those_of_the_objective_in_the_docstring(classes):
    """Newton's method in NumPy, in float64, on mean cross-entropy + strength / 2 · ‖weights‖²."""
    train, test = _videos(40, num_classes=classes), _videos(9, num_classes=classes, seed=1)
    strength, size = 0.1, 7 * classes
    x = np.concatenate([train.embeddings, np.ones([40, 1])], axis=1).astype(np.float64)
    decay = strength * np.diag([1.0] * 6 + [0.0])
    truth, weights = np.eye(classes)[train.labels], np.zeros([7, classes])
    for _ in range(30):
        said = _softmax(x @ weights)
        gradient = x.T @ (said - truth) / 40 + decay @ weights
        spread = np.eye(classes) - said[:, None]
        curvature = np.einsum("na,nb,ni,nij->aibj", x, x, said, spread) / 40
        curvature += np.einsum("ab,ij->aibj", decay, np.eye(classes))
        step = np.linalg.lstsq(curvature.reshape(size, size), gradient.ravel(), rcond=None)[0]
        weights -= step.reshape(7, classes)
    tested = np.concatenate([test.embeddings, np.ones([9, 1])], axis=1)
    found = linear.fit(train, test, num_classes=5, strengths=[strength], scaling="none")
    expected = _softmax(tested @ weights)
    np.testing.assert_allclose(found.probabilities[:, :classes], expected, atol=2e-3)
    assert not found.probabilities[:, classes:].any()
    assert (found.strength, found.held_out) == (strength, {})


def test_held_out_videos_choose_and_of_equal_ones_the_strongest():
    train = _videos(60, noise=0.01)
    found = linear.fit(train, train, num_classes=3, strengths=[1e-3, 1e4, 1e-1])
    # So strong a regularisation leaves three classes of equal size even.
    assert list(found.held_out) == [1e4, 1e-1, 1e-3]
    assert found.held_out[1e-1] == found.held_out[1e-3] == 1.0
    assert found.strength == (1e4 if found.held_out[1e4] == 1.0 else 1e-1)


def test_what_is_held_out_is_not_learned():
    """Labels by chance, in more dimensions than videos: all that was learned is known by heart."""
    generator = np.random.default_rng(0)
    embeddings = generator.normal(size=[100, 200]).astype(np.float32)
    names = np.array([f"video {number}" for number in range(100)])
    train = table.Table(names, generator.permutation(100) % 2, embeddings)
    found = linear.fit(train, train, num_classes=2, strengths=[1e-1, 1e-3])
    assert (found.probabilities.argmax(axis=1) == train.labels).all()
    assert max(found.held_out.values()) < 0.8


def test_test_videos_change_neither_the_choice_nor_each_others_probabilities():
    train, test = _videos(60, noise=2.0), _videos(10, noise=2.0, seed=1)
    other = table.Table(test.example_ids, 2 - test.labels, test.embeddings.copy())
    other.embeddings[5:] += 100
    one, two = (linear.fit(train, part, num_classes=3) for part in (test, other))
    assert one.held_out == two.held_out
    assert one.strength == two.strength
    np.testing.assert_array_equal(one.probabilities[:5], two.probabilities[:5])


def test_standardised_embeddings_forget_their_unit_and_place():
    train, test = _videos(30), _videos(9, seed=1)
    moved = [
        dataclasses.replace(part, embeddings=part.embeddings * 8.0 + 64.0) for part in (train, test)
    ]
    plain = linear.fit(train, test, num_classes=3, strengths=[0.1])
    found = linear.fit(*moved, num_classes=3, strengths=[0.1])
    np.testing.assert_allclose(found.probabilities, plain.probabilities, atol=1e-3)


def test_a_dimension_that_never_changes_in_training_says_nothing():
    train, test = np.float32([[1, 0.1], [3, 0.1]]), np.float32([[2, 7]])
    np.testing.assert_allclose(
        linear.scaled(train, test, scaling="standardize")[1], [[0, 0]], atol=1e-6
    )
    np.testing.assert_allclose(
        linear.scaled(train, np.float32([[3, 4]]), scaling="normalize")[1], [[0.6, 0.8]]
    )


def test_a_fifth_of_each_class_is_held_out_and_what_is_of_one_video_together():
    numbers = [(group, clip) for group in range(10) for clip in (1, 2)]
    names = [f"v_{word}_g{g:02}_c{c:02}" for word in ("Run", "Sit") for g, c in numbers]
    videos = table.Table(np.array(names), np.repeat([0, 1], 20), np.zeros([40, 1], np.float32))
    mask = linear.held_out_videos(videos, seed=0)
    assert mask.reshape(2, 10, 2).all(axis=2).sum(axis=1).tolist() == [2, 2]
    assert mask.sum() == 8
    assert (linear.held_out_videos(videos, seed=1) != mask).any()
    plain = _videos(31)
    counts = np.bincount(plain.labels[linear.held_out_videos(plain, seed=0)])
    assert counts.tolist() == [2, 2, 2]


def test_videos_without_a_name_are_held_out_one_by_one():
    unnamed = _videos(30, names="")
    counts = np.bincount(unnamed.labels[linear.held_out_videos(unnamed, seed=0)])
    assert counts.tolist() == [2, 2, 2]


def test_a_fit_that_did_not_converge_is_told(monkeypatch, capsys):
    monkeypatch.setattr(linear, "_MAX_ITERATIONS", 1)
    linear.fit(_videos(30), _videos(3), num_classes=3, strengths=[1e-3])
    assert "l2 0.001: lbfgs failed to converge after 1 iteration" in capsys.readouterr().out


def test_what_leaves_nothing_to_choose_by_is_refused():
    lone = _videos(3)
    with pytest.raises(errors.UserError, match="single strength with --l2"):
        linear.fit(lone, lone, num_classes=3)
    assert linear.fit(lone, lone, num_classes=3, strengths=[1e-3]).strength == 1e-3
    with pytest.raises(errors.UserError, match="fewer than two classes"):
        linear.fit(_videos(4, num_classes=1), lone, num_classes=3)
