# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What a classifier says of each test video, as csv files in a run's folder, and read back."""

import csv
import dataclasses
import io
import os
from collections.abc import Iterable, Sequence

import numpy as np

from official_cvrl import errors, filesystems, metrics, outputs

_PREDICTIONS, _PER_CLASS, _CONFUSION = "predictions.csv", "per_class.csv", "confusion.csv"
FILES = (_PREDICTIONS, _PER_CLASS, _CONFUSION)
_TOP = 5


@dataclasses.dataclass(frozen=True)
class Predictions:
    """What a classifier says of test videos.

    Attributes:
        example_ids: [num_videos].
        labels: int64 [num_videos]; -1 for none.
        probabilities: float32 [num_videos, num_classes].
        label_names: [num_classes].
    """

    example_ids: Sequence[str]
    labels: np.ndarray
    probabilities: np.ndarray
    label_names: Sequence[str]


@dataclasses.dataclass(frozen=True)
class Confusion:
    """How often which class is taken for which.

    Attributes:
        label_names: [num_classes].
        counts: int64 [num_classes, num_classes], videos by their class and the one that they got.
    """

    label_names: Sequence[str]
    counts: np.ndarray


def confusion(found: Predictions) -> Confusion:
    """Counts the videos that have a label."""
    labelled = found.labels >= 0
    counts = metrics.confusion_matrix(
        found.labels[labelled],
        metrics.top_classes(found.probabilities[labelled], k=1)[:, 0],
        num_classes=len(found.label_names),
    )
    return Confusion(found.label_names, counts)


def most_often_taken_for(table: Confusion, label: int) -> tuple[str, int] | None:
    """Returns the other class that most videos of a class got, and how many; None if none did."""
    others = np.where(np.arange(len(table.counts)) == label, 0, table.counts[label])
    other = int(others.argmax())
    return (table.label_names[other], int(others[other])) if others[other] else None


def write(folder: str, found: Predictions) -> Sequence[str]:
    """Writes three files, each whole or not at all.

    `predictions.csv` has a row a video: `example_id`, `label` (empty without one), and the most
    probable classes, `top1`, `probability1`, and so on to 5. `per_class.csv` has a row a class:
    `label`, `videos`, `top1` and, of more than five classes, `top5` (shares; empty without videos),
    and `most_often_taken_for`, the other class that most of its videos got, with how many, `times`.
    `confusion.csv` has a row a class and a column for each class that its videos got.

    Args:
        folder: of the run, local or remote.
        found: what is said of the videos.

    Returns:
        The paths.

    Raises:
        UserError: a file cannot be written; what was there before stays.
    """
    table = confusion(found)
    rows = {
        _PREDICTIONS: _of_videos(found),
        _PER_CLASS: _of_classes(found, table),
        _CONFUSION: _of_confusion(table),
    }
    return [_write_csv(os.path.join(folder, name), part) for name, part in rows.items()]


def read_confusion(folder: str) -> Confusion | None:
    """Returns what `write` counted, None if there is no such file.

    Raises:
        UserError: the file is there but broken.
    """
    path = filesystems.openable_path(folder) / _CONFUSION
    if not path.exists():
        return None
    try:
        header, *rows = csv.reader(io.StringIO(path.read_text(), newline=""), strict=True)
        counts = np.array([row[1:] for row in rows]).astype(np.int64)
        if counts.shape != (len(header) - 1,) * 2 or [row[0] for row in rows] != header[1:]:
            raise ValueError("it is no square table of classes")
    except (ValueError, IndexError, csv.Error) as error:
        raise errors.UserError(
            f"{path} holds no confusion matrix: {error}. python train.py … --mode=eval writes it "
            "anew."
        ) from error
    return Confusion(header[1:], counts)


def _of_videos(found):
    order = metrics.top_classes(found.probabilities, k=_TOP)
    places = range(1, order.shape[1] + 1)
    yield "example_id", "label", *(f"{n}{i}" for i in places for n in ("top", "probability"))
    for name, label, classes, row in zip(
        found.example_ids, found.labels, order, found.probabilities, strict=True
    ):
        said = (cell for c in classes for cell in (found.label_names[c], f"{row[c]:.6g}"))
        yield name, found.label_names[label] if label >= 0 else "", *said


def _of_classes(found, table):
    ks = (1, _TOP) if len(table.label_names) > _TOP else (1,)
    yield "label", "videos", *(f"top{k}" for k in ks), "most_often_taken_for", "times"
    for label, name in enumerate(table.label_names):
        own = found.labels == label
        if not own.any():
            yield name, 0, *("" for _ in ks), "", ""
            continue
        chosen = found.probabilities[own], found.labels[own]
        shares = (f"{metrics.top_k_accuracy(*chosen, k=k):.6g}" for k in ks)
        yield name, own.sum(), *shares, *(most_often_taken_for(table, label) or ("", ""))


def _of_confusion(table):
    yield "label", *table.label_names
    for name, row in zip(table.label_names, table.counts, strict=True):
        yield name, *row


def _write_csv(path: str, rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    outputs.save_text(path, text.getvalue())
    return path
