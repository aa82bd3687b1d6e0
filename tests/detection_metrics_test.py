# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Frame mAP by hand, against an evaluation written box by box, and what must not change it."""

import numpy as np
import pytest

from official_cvrl import detection_metrics as metrics


def _boxes(*rows):
    """Boxes of rows (frame, (ymin, xmin, ymax, xmax), label, score)."""
    return metrics.Boxes(*zip(*rows, strict=True)) if rows else metrics.Boxes([], [], [], [])


_WHOLE, _LEFT, _RIGHT = (0, 0, 1, 1), (0, 0, 1, 0.5), (0, 0.5, 1, 1)


def _evaluate(groundtruth, detections, num_classes=1, **kwargs):
    return metrics.average_precisions(groundtruth, detections, num_classes=num_classes, **kwargs)


def test_hand_computed():
    # Right, wrong, right of two boxes: precision 1 to recall 1/2, then 2/3.
    truth = _boxes((0, _LEFT, 0, 1), (1, _RIGHT, 0, 1))
    said = _boxes((0, _LEFT, 0, 0.9), (0, _RIGHT, 0, 0.8), (1, _RIGHT, 0, 0.7))
    results = _evaluate(truth, said)
    np.testing.assert_allclose(results.values, [0.5 * 1 + 0.5 * 2 / 3])
    assert (results.num_groundtruth, results.num_detections, results.num_found) == (2, 3, 2)


def test_precision_is_the_highest_at_that_recall_or_a_higher_one():
    # Wrong, right, right: the curve rises from 1/2 to 2/3.
    assert metrics.average_precision(
        np.array([0.9, 0.8, 0.7]), np.array([False, True, True]), num_groundtruth=2
    ) == pytest.approx(2 / 3)


@pytest.mark.parametrize("xmax, right", [(0.5, True), (0.499, False)])
def test_half_an_overlap_is_enough(xmax, right):
    results = _evaluate(_boxes((0, _WHOLE, 0, 1)), _boxes((0, (0, 0, 1, xmax), 0, 1)))
    assert results.num_found == int(right)


def test_a_duplicate_is_wrong_and_the_highest_score_is_right():
    truth = _boxes((0, _WHOLE, 0, 1))
    once = _evaluate(truth, _boxes((0, _WHOLE, 0, 0.3)))
    twice = _evaluate(truth, _boxes((0, _WHOLE, 0, 0.3), (0, (0, 0, 1, 0.9), 0, 0.4)))
    assert (once.mean, twice.mean) == (1.0, 1.0)
    assert (twice.num_detections, twice.num_found) == (2, 1)


def test_a_detection_is_not_passed_on_to_its_second_best_box():
    truth = _boxes((0, (0, 0, 1, 1), 0, 1), (0, (0, 0, 1, 0.9), 0, 1))
    said = _boxes((0, (0, 0, 1, 1), 0, 0.9), (0, (0, 0, 1, 0.99), 0, 0.8))
    assert _evaluate(truth, said).num_found == 1


def test_equal_scores_are_one_point_of_the_curve():
    truth = _boxes((0, _WHOLE, 0, 1))
    said = _boxes((0, _WHOLE, 0, 0.5), (1, _WHOLE, 0, 0.5))
    assert _evaluate(truth, said).mean == 0.5


def test_frames_without_ground_truth_count_as_wrong():
    said = _boxes((7, _WHOLE, 0, 0.9), (0, _WHOLE, 0, 0.8))
    assert _evaluate(_boxes((0, _WHOLE, 0, 1)), said).mean == 0.5


def test_classes_without_ground_truth_are_left_out_of_the_mean():
    truth = _boxes((0, _WHOLE, 1, 1))
    results = _evaluate(truth, _boxes((0, _WHOLE, 0, 0.9), (0, _WHOLE, 1, 0.9)), num_classes=3)
    np.testing.assert_array_equal(np.isnan(results.values), [True, False, True])
    assert results.mean == 1.0


def test_the_other_label_is_wrong():
    assert _evaluate(_boxes((0, _WHOLE, 1, 1)), _boxes((0, _WHOLE, 0, 1)), 2).mean == 0.0


def test_only_the_highest_of_a_frame_count_and_boxes_without_area_are_among_them():
    truth = _boxes((0, _WHOLE, 0, 1))
    said = _boxes((0, (0, 0, 1, 0), 0, 0.9), (0, _LEFT, 0, 0.8), (0, _WHOLE, 0, 0.7))
    assert _evaluate(truth, said, max_detections_per_frame=2).num_detections == 1
    assert _evaluate(truth, said, max_detections_per_frame=3).num_detections == 2


def test_nothing_said_is_zero_and_nothing_to_find_is_not_a_number():
    assert _evaluate(_boxes((0, _WHOLE, 0, 1)), _boxes()).mean == 0.0
    assert np.isnan(_evaluate(_boxes(), _boxes((0, _WHOLE, 0, 1))).mean)


@pytest.mark.parametrize(
    "field, value", [("labels", [3]), ("corners", [[0, 0, 1, np.nan]]), ("scores", [1.0, 2.0])]
)
def test_boxes_that_are_none_are_refused(field, value):
    given = {"frames": [0], "corners": [_WHOLE], "labels": [0], "scores": [1.0]} | {field: value}
    with pytest.raises(ValueError, match=field.removesuffix("s")):
        _evaluate(metrics.Boxes(**given), _boxes())


def _random(seed, count, *, of_truth):
    random = np.random.default_rng(seed)
    starts, sizes = random.integers(0, 4, (count, 2)) / 8, random.integers(1, 5, (count, 2)) / 8
    scores = random.permutation(count) / count if not of_truth else np.ones(count)
    frames, labels = random.integers(0, 6, count), random.integers(0, 3, count)
    return metrics.Boxes(frames, np.c_[starts, starts + sizes], labels, scores)


def _by_boxes(groundtruth, detections, label):
    """Average precision of one class, one box after the other."""
    truth = [(f, tuple(c)) for f, c, kind in _rows(groundtruth) if kind == label]
    best_first = np.argsort(-detections.scores)
    taken, curve = set(), []
    for frame, corners, kind in _rows(detections.take(best_first)):
        if kind != label:
            continue
        rivals = sorted(
            (-metrics.iou(np.array([c]), np.array([corners]))[0], c) for f, c in truth if f == frame
        )
        found = bool(rivals) and -rivals[0][0] >= 0.5 and (frame, rivals[0][1]) not in taken
        taken |= {(frame, rivals[0][1])} if found else set()
        curve.append(found)
    points = [sum(curve[: i + 1]) / (i + 1) for i in range(len(curve))]
    return sum(max(points[i:]) for i, found in enumerate(curve) if found) / len(truth)


def _rows(boxes):
    return zip(boxes.frames.tolist(), boxes.corners.tolist(), boxes.labels.tolist(), strict=True)


def _distinct(boxes):
    rows = np.c_[boxes.frames, boxes.corners, boxes.labels]
    return boxes.take(np.sort(np.unique(rows, axis=0, return_index=True)[1]))


@pytest.mark.parametrize("seed", range(10))
def test_equals_an_evaluation_box_by_box(seed):
    truth = _distinct(_random(seed, 60, of_truth=True))
    said = _random(seed + 100, 150, of_truth=False)
    results = _evaluate(truth, said, num_classes=3)
    expected = [_by_boxes(truth, said, label) for label in range(3)]
    assert max(expected) > 0.05
    np.testing.assert_allclose(results.values, expected, rtol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_order_of_rows_and_scale_of_scores_change_nothing(seed):
    truth, said = _random(seed, 60, of_truth=True), _random(seed + 100, 400, of_truth=False)
    expected = _evaluate(truth, said, num_classes=3).values
    order = np.random.default_rng(seed).permutation(len(said))
    mixed = said.take(order)
    squeezed = metrics.Boxes(mixed.frames, mixed.corners, mixed.labels, mixed.scores**3 / 2)
    turned = truth.take(np.arange(len(truth))[::-1])
    np.testing.assert_array_equal(_evaluate(turned, squeezed, num_classes=3).values, expected)
