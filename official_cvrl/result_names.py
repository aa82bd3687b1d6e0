# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""How a person reads the measures of results.json: titles, what chance gives, how sure they are."""

import math

from official_cvrl import amounts

_MUCH = 0.05
_TITLES = {
    "knn_top1": "kNN top-1",
    "top1": "top-1",
    "top5": "top-5",
    "linear_top1": "linear top-1",
    "linear_top5": "linear top-5",
    "frame_map": "frame mAP",
}
KNOWN = tuple(_TITLES)


def title(measure: str) -> str:
    """Returns a measure's name within a sentence or above a column."""
    known = _TITLES.get(measure) or measure.replace("retrieval_at_", "R@")
    return known.replace("_", " ")


def chance(measure: str, *, num_classes: int) -> float | None:
    """Returns what a measure is for a model that guesses; None if that is not known.

    Args:
        measure: its key in results.json.
        num_classes: of the data; 0 if there are no labels.
    """
    _, found, rank = measure.rpartition("top")
    if not found or measure not in KNOWN or not num_classes:
        return None
    return min(1.0, int(rank) / num_classes)


def told_of_few(num_videos: int) -> str:
    """Returns a sentence where shares of so few test videos say little; "" where they are enough.

    The standard error of a share p of n videos is √(p (1 − p) / n), the largest at one half.
    """
    error = math.sqrt(0.25 / max(num_videos, 1))
    if error <= _MUCH:
        return ""
    videos = amounts.counted(num_videos, "test video")
    return f"Of {videos} alone: a share has a standard error of up to {100 * error:.0f} points."
