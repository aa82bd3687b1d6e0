# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Frame mAP of action detection, as AVA's official evaluator defines it, in NumPy."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

IOU_THRESHOLD = 0.5
# The official evaluator reads no more labelled boxes than these of one key frame.
MAX_DETECTIONS_PER_FRAME = 50


@dataclasses.dataclass(frozen=True)
class Boxes:
    """Boxes of many frames, one for each label: a person who does two things is there twice.

    Attributes:
      frames: int64 [num_boxes], which frame; any numbers, the same for ground truth and detections.
      corners: float64 [num_boxes, 4], ymin, xmin, ymax, xmax, in one unit throughout.
      labels: int64 [num_boxes], class indices from 0.
      scores: float64 [num_boxes], finite; in the ground truth they only order equal overlaps.

    Raises:
      ValueError: the shapes do not fit each other, or a corner or a score is not finite.
    """

    frames: np.ndarray
    corners: np.ndarray
    labels: np.ndarray
    scores: np.ndarray

    def __post_init__(self):
        kinds = {"frames": np.int64, "corners": float, "labels": np.int64, "scores": float}
        for name, kind in kinds.items():
            values = np.asarray(getattr(self, name), kind)
            shape = (len(self), 4) if name == "corners" else (len(self),)
            # An empty list has no second dimension of its own.
            values = values.reshape(shape) if not values.size else values
            if values.shape != shape:
                raise ValueError(f"{name} has the shape {values.shape}, not {shape}")
            if not np.isfinite(values).all():
                raise ValueError(f"{name} has values that are not finite")
            object.__setattr__(self, name, values)

    def __len__(self):
        return len(self.frames)

    def take(self, rows: np.ndarray) -> Boxes:
        """Returns some of the boxes, by index or by a mask."""
        return Boxes(*(getattr(self, field.name)[rows] for field in dataclasses.fields(self)))

    @property
    def have_area(self) -> np.ndarray:
        """Whether a box has a height and a width above 0: bool [num_boxes]."""
        ymin, xmin, ymax, xmax = self.corners.T
        return (ymin < ymax) & (xmin < xmax)


def concatenate(boxes: Sequence[Boxes]) -> Boxes:
    """Returns the boxes of several in one."""
    names = [field.name for field in dataclasses.fields(Boxes)]
    return Boxes(*(np.concatenate([getattr(one, name) for one in boxes]) for name in names))


@dataclasses.dataclass(frozen=True)
class AveragePrecisions:
    """What came out, by class.

    Attributes:
      values: float64 [num_classes] in [0, 1], the average precision; NaN without ground truth.
      num_groundtruth: int64 [num_classes], boxes to be found.
      num_detections: int64 [num_classes], detections that count.
      num_found: int64 [num_classes], those of them that are right, each for a box of its own.
    """

    values: np.ndarray
    num_groundtruth: np.ndarray
    num_detections: np.ndarray
    num_found: np.ndarray

    @property
    def mean(self) -> float:
        """The mAP: the mean over classes with ground truth; NaN if no class has any."""
        known = self.values[~np.isnan(self.values)]
        return float(known.mean()) if known.size else float("nan")


def average_precisions(
    groundtruth: Boxes,
    detections: Boxes,
    *,
    num_classes: int,
    iou_threshold: float = IOU_THRESHOLD,
    max_detections_per_frame: int = MAX_DETECTIONS_PER_FRAME,
) -> AveragePrecisions:
    """Evaluates detections, as ActivityNet's `get_ava_performance.py` does with AVA.

    Of each frame the detections with the highest scores count, over all classes; of those the ones
    without area are then left out. What counts is matched by `is_right`, also in frames without
    ground truth, where nothing can be right; `average_precision` makes a number of a class.

    Where the official result depends on the order of rows, or of the sort of the machine, it is
    settled here by the values alone: of equal scores at the limit of a frame the higher label and
    then the greater corners stay; of equal scores in the curve see `average_precision`.

    Args:
      groundtruth: what is to be found.
      detections: what was said.
      num_classes: labels are below it.
      iou_threshold: from which intersection over union on a detection is right, in (0, 1].
      max_detections_per_frame: so many detections of a frame count, at least 1.

    Raises:
      ValueError: a label or an argument is out of its range.
    """
    _check(groundtruth, detections, num_classes, iou_threshold, max_detections_per_frame)
    detections = detections.take(highest_of_frames(detections, limit=max_detections_per_frame))
    detections = detections.take(detections.have_area)
    right = is_right(groundtruth, detections, iou_threshold=iou_threshold)
    num_groundtruth = np.bincount(groundtruth.labels, minlength=num_classes)
    by_label = np.argsort(detections.labels, kind="stable")
    num_detections = np.bincount(detections.labels, minlength=num_classes)
    rows_of_classes = np.split(by_label, np.cumsum(num_detections)[:-1])
    values = [
        average_precision(detections.scores[rows], right[rows], num_groundtruth=count)
        for rows, count in zip(rows_of_classes, num_groundtruth, strict=True)
    ]
    num_found = np.bincount(detections.labels[right], minlength=num_classes)
    return AveragePrecisions(np.array(values), num_groundtruth, num_detections, num_found)


def _check(groundtruth, detections, num_classes, iou_threshold, max_detections_per_frame):
    if num_classes < 1:
        raise ValueError(f"num_classes={num_classes} must be at least 1")
    if not 0 < iou_threshold <= 1:
        raise ValueError(f"iou_threshold={iou_threshold} must be in (0, 1]")
    if max_detections_per_frame < 1:
        raise ValueError(f"max_detections_per_frame={max_detections_per_frame} must be at least 1")
    for name, boxes in (("groundtruth", groundtruth), ("detections", detections)):
        unknown = boxes.labels[(boxes.labels < 0) | (boxes.labels >= num_classes)]
        if unknown.size:
            raise ValueError(f"{name} has the label {unknown[0]}, not below {num_classes}")


def highest_of_frames(boxes: Boxes, *, limit: int) -> np.ndarray:
    """Returns the rows of each frame's highest scores: int64 [at most limit per frame], ascending.

    Of equal scores the higher label comes first, then the greater corners.
    """
    frames, counts = np.unique(boxes.frames, return_counts=True)
    crowded = np.isin(boxes.frames, frames[counts > limit])
    rows = np.flatnonzero(crowded)
    keys = np.c_[-boxes.corners[:, ::-1], -boxes.labels, -boxes.scores, boxes.frames]
    rows = rows[np.lexsort(keys[rows].T)]
    places = _places(boxes.frames[rows])
    return np.sort(np.r_[np.flatnonzero(~crowded), rows[places < limit]])


def _places(values):
    """Returns each one's place in its run of equal values, from 0."""
    starts = np.flatnonzero(_is_first(values))
    return np.arange(len(values)) - np.repeat(starts, np.diff(np.r_[starts, len(values)]))


def _is_first(values):
    """Returns whether the value before it is another one."""
    return np.r_[True, values[1:] != values[:-1]][: len(values)]


def is_right(
    groundtruth: Boxes, detections: Boxes, *, iou_threshold: float = IOU_THRESHOLD
) -> np.ndarray:
    """Matches detections with the ground truth of their frame and label.

    A detection belongs to the box it overlaps most and to no other, and is right if they overlap
    enough. Of those that belong to one box the highest score alone is right: the others are
    duplicates. Of boxes that overlap it equally a detection belongs to the one with the higher
    score, then the lesser corners; the official reader, too, takes the person's id for a score.

    Args:
      groundtruth: what is to be found.
      detections: boxes with area.
      iou_threshold: in (0, 1].

    Returns:
      bool [num_detections].
    """
    order = np.lexsort((*groundtruth.corners.T[::-1], -groundtruth.scores))
    groundtruth = groundtruth.take(order)
    overlaps, owners = _most_overlapping(groundtruth, detections)
    rows = np.flatnonzero(overlaps >= iou_threshold)
    rows = rows[np.lexsort((-detections.scores[rows], owners[rows]))]
    right = np.zeros(len(detections), bool)
    right[rows[_is_first(owners[rows])]] = True
    return right


def _most_overlapping(groundtruth, detections):
    """Returns each detection's greatest overlap and with which row; 0 and -1 without any."""
    theirs, ours = _groups(groundtruth, detections)
    order = np.argsort(theirs, kind="stable")
    starts = np.searchsorted(theirs[order], ours, side="left")
    counts = np.searchsorted(theirs[order], ours, side="right") - starts
    overlaps, owners = np.zeros(len(ours)), np.full(len(ours), -1)
    # All detections are held against the first box of their frame and label, then the second, ….
    for place in range(counts.max(initial=0)):
        rows = np.flatnonzero(counts > place)
        candidates = order[starts[rows] + place]
        overlap = iou(groundtruth.corners[candidates], detections.corners[rows])
        better = overlap > overlaps[rows]
        overlaps[rows[better]], owners[rows[better]] = overlap[better], candidates[better]
    return overlaps, owners


def _groups(groundtruth, detections):
    """Numbers the pairs of frame and label: int64 [num_groundtruth] and [num_detections]."""
    both = concatenate([groundtruth, detections])
    frames = np.unique(both.frames, return_inverse=True)[1]
    groups = frames * (both.labels.max(initial=0) + 1) + both.labels
    return np.split(groups, [len(groundtruth)])


def iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns the intersections over the unions of boxes, pair by pair.

    Args:
      first: float64 [num_pairs, 4], ymin, xmin, ymax, xmax.
      second: float64 [num_pairs, 4], with area.

    Returns:
      float64 [num_pairs] in [0, 1].
    """
    sides = np.minimum(first[:, 2:], second[:, 2:]) - np.maximum(first[:, :2], second[:, :2])
    intersections = np.prod(np.maximum(sides, 0), axis=1)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (first, second)]
    return intersections / (areas[0] + areas[1] - intersections)


def average_precision(scores: np.ndarray, right: np.ndarray, *, num_groundtruth: int) -> float:
    """Returns the area under the interpolated precision-recall curve, as PASCAL VOC since 2010.

    The curve has one point for each score: what it would be to keep the detections of at least that
    score. Equal scores are thus one point, in whatever order they come; the official evaluator lets
    them come one by one, as its sort leaves them, and this is the least it can say of them (the
    right ones last). At a recall, the precision is the highest at that recall or a higher one.

    Args:
      scores: float64 [num_detections].
      right: bool [num_detections], at most num_groundtruth of them.
      num_groundtruth: boxes to be found.

    Returns:
      In [0, 1]; 0 without detections, NaN without ground truth.
    """
    if not num_groundtruth:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    is_last = np.r_[np.diff(scores[order]) != 0, True][: len(order)]
    found = np.cumsum(right[order])[is_last]
    precision = found / (np.flatnonzero(is_last) + 1)
    interpolated = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(found / num_groundtruth, prepend=0) * interpolated))
