# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What each measure of a run is called on the page, how it reads and what a guess would give."""

import dataclasses
import math

from official_cvrl import result_names


@dataclasses.dataclass(frozen=True)
class Measure:
    """How a number is shown.

    Attributes:
        title: heading of its curve or column.
        caption: one sentence that says what it tells.
        is_share: it lies in [0, 1] and is shown in percent.
    """

    title: str
    caption: str = ""
    is_share: bool = False

    def shown(self, value: float) -> str:
        """Returns the value as a person reads it."""
        return f"{value:.1%}" if self.is_share else f"{value:.4g}"


def _heading(tag):
    """Its title at the beginning of a line; "kNN" stays as it is."""
    words = result_names.title(tag)
    return words if words[1:2].isupper() else words[:1].upper() + words[1:]


_KNOWN = {
    "contrastive_loss": Measure(
        "Contrastive loss",
        "How hard it is to tell a clip’s other view from all other clips of the batch, from view 1 "
        "to view 2 and back, added up; lower is better.",
    ),
    "classification_loss": Measure(
        "Classification loss", "Cross-entropy on training clips; lower is better."
    ),
    "detection_loss": Measure(
        "Detection loss", "Sigmoid cross-entropy of training boxes; lower is better."
    ),
    "frame_map": Measure(
        _heading("frame_map"),
        "Mean over the classes of the average precision on test key frames, at an overlap of 0.5.",
        is_share=True,
    ),
    "loss": Measure("Loss", "What the optimizer lowers."),
    "accuracy": Measure(
        "Accuracy in training",
        "Share of training clips that are put into the right class.",
        is_share=True,
    ),
    "entropy": Measure(
        "Entropy",
        "How undecided the model is between the candidates, in nats; it falls as views of one "
        "video find each other.",
    ),
    "regularization_loss": Measure(
        "Regularisation loss", "Weight decay’s part of the loss: it grows with the weights."
    ),
    "knn_top1": Measure(
        _heading("knn_top1"),
        "Share of test videos that get the right class by a vote of the ten nearest training "
        "videos, the nearer the heavier; no classifier is trained.",
        is_share=True,
    ),
    "top1": Measure(
        _heading("top1"), "Share of test videos whose class comes first.", is_share=True
    ),
    "top5": Measure(
        _heading("top5"), "Share of test videos whose class is among the first five.", is_share=True
    ),
}
_CONTRASTIVE_ACCURACY = Measure(
    "Contrastive accuracy",
    "Share of clips whose most similar candidate in the batch is the other view of their video.",
    is_share=True,
)


def describe(tag: str, *, contrastive: bool = False) -> Measure:
    """Returns how a tag is shown; an unknown one under its own name.

    Args:
        tag: of a scalar, or a key of results.json.
        contrastive: whether it comes from pre-training.
    """
    if contrastive and tag == "accuracy":
        return _CONTRASTIVE_ACCURACY
    return _KNOWN.get(tag) or Measure(result_names.title(tag))


def guess(tag: str, *, num_classes: int = 0, num_candidates: int = 0) -> float | None:
    """Returns what a measure is for a model that guesses; None if that is not known.

    Args:
        tag: see `describe`.
        num_classes: of the data; 0 if there are no labels.
        num_candidates: videos in a contrastive batch; 0 if it is not pre-training.
    """
    if num_candidates and tag in ("accuracy", "entropy"):
        return 1 / num_candidates if tag == "accuracy" else math.log(num_candidates)
    return result_names.chance("top1" if tag == "accuracy" else tag, num_classes=num_classes)
