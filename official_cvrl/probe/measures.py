# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What embeddings are worth: retrieval, kNN, a linear probe; each from training to test videos."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from official_cvrl import errors, metrics, result_names
from official_cvrl.probe import linear, table

RETRIEVAL, KNN, LINEAR = "retrieval", "knn", "linear"
KINDS = (RETRIEVAL, KNN, LINEAR)
RETRIEVED = (1, 5, 10, 20)
_TOP = 5


@dataclasses.dataclass(frozen=True)
class Asked:
    """What is to be measured.

    Attributes:
        kinds: some of `KINDS`.
        num_neighbors: that vote in kNN.
        temperature: of their weights.
        strengths: see `linear.fit`, also for the next.
        scaling: of the embeddings for the linear probe.
    """

    kinds: Sequence[str] = KINDS
    num_neighbors: int = 10
    temperature: float = 0.1
    strengths: Sequence[float] = linear.STRENGTHS
    scaling: str = "standardize"


def measure(
    train: table.Table, test: table.Table, *, num_classes: int, asked: Asked
) -> tuple[Mapping[str, float], Mapping[str, object]]:
    """Measures the embeddings of two splits.

    Videos without a label are left out of either; how many is said.

    Args:
        train: where neighbours are sought, and what the linear probe learns from.
        test: what is asked for.
        num_classes: labels are below it.
        asked: what is to be measured.

    Returns:
        The measures, shares by name (`retrieval_at_1`, …, `knn_top1`, `linear_top1`, and
        `linear_top5` of more than five classes), and what else is worth writing down.

    Raises:
        UserError: a split has no labelled videos.
    """
    train, test = _labelled(train, "training"), _labelled(test, "test")
    both = train.embeddings, train.labels, test.embeddings
    if said := result_names.told_of_few(len(test.labels)):
        print(said, flush=True)
    found, notes = {}, {"train_videos": len(train.labels), "test_videos": len(test.labels)}
    if RETRIEVAL in asked.kinds:
        recalls = metrics.retrieval_recalls(*both, test.labels, ks=RETRIEVED)
        found |= {f"retrieval_at_{k}": share for k, share in zip(RETRIEVED, recalls, strict=True)}
    if KNN in asked.kinds:
        said = metrics.knn_predictions(
            *both, num_neighbors=asked.num_neighbors, temperature=asked.temperature
        )
        found["knn_top1"] = float(np.mean(said == test.labels))
    if LINEAR in asked.kinds:
        shares, more = _linear(train, test, num_classes, asked)
        found, notes = found | shares, notes | more
    return found, notes


def _linear(train, test, num_classes, asked):
    fitted = linear.fit(
        train, test, num_classes=num_classes, strengths=asked.strengths, scaling=asked.scaling
    )
    ks = (1, _TOP) if num_classes > _TOP else (1,)
    shares = {
        f"linear_top{k}": metrics.top_k_accuracy(fitted.probabilities, test.labels, k=k) for k in ks
    }
    tried = {f"{strength:g}": top1 for strength, top1 in fitted.held_out.items()}
    if fitted.strength in (max(asked.strengths), min(asked.strengths)) and len(tried) > 1:
        print(
            f"The best l2, {fitted.strength:g}, is at an end of those tried, --l2="
            f"{','.join(tried)}: others beyond it may be better.",
            flush=True,
        )
    return shares, {"l2": fitted.strength, "held_out_top1_by_l2": tried, "scaling": asked.scaling}


def _labelled(found, words):
    known = found.labels >= 0
    if not known.any():
        raise errors.UserError(f"None of the {len(known)} {words} videos has a label.")
    if not known.all():
        print(f"{(~known).sum()} {words} videos have no label and are left out.", flush=True)
    return found.take(known)
