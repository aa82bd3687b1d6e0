# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Logistic regression on embeddings; how strongly it is regularised, a held-out part says."""

import dataclasses
import re
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from sklearn import exceptions, linear_model

from official_cvrl import errors, metrics, progress
from official_cvrl.probe import table

STRENGTHS = (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
SCALINGS = ("standardize", "normalize", "none")
_HELD_OUT = 5  # A fifth of each class.
_MAX_ITERATIONS = 1000
# UCF-101 cuts several clips out of one video: v_Archery_g08_c02.
_OF_ONE_VIDEO = re.compile(r"(_g\d+)_c\d+.*")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a linear probe found.

    Attributes:
        probabilities: float [num_test, num_classes], of the test videos.
        strength: the regularisation that was chosen.
        held_out: top-1 of the held-out videos by strength.
    """

    probabilities: np.ndarray
    strength: float
    held_out: Mapping[float, float]


def fit(
    train: table.Table,
    test: table.Table,
    *,
    num_classes: int,
    strengths: Sequence[float] = STRENGTHS,
    scaling: str = "standardize",
    seed: int = 0,
) -> Outcome:
    """Fits softmax regression, minimising mean cross-entropy + strength / 2 · ‖weights‖².

    A fifth of each training class is held out, the strength with the best top-1 there is taken (of
    equal ones the strongest), and the whole training split is fitted with it. Test videos say
    nothing about any of this.

    Args:
        train: labelled.
        test: labelled.
        num_classes: labels are below it.
        strengths: to choose from, each positive; a single one is taken as it is.
        scaling: "standardize" brings each dimension to mean 0 and variance 1 over the training
            videos, "normalize" each embedding to length 1; "none" does neither.
        seed: of the choice of held-out videos.

    Raises:
        UserError: fewer than two classes to train, or none with two videos to hold one out of.
    """
    if len(np.unique(train.labels)) < 2:
        raise errors.UserError("The training videos are of fewer than two classes.")
    strengths = sorted(set(strengths), reverse=True)
    bar = progress.Progress(label="linear probe", unit="fits", total=_num_fits(strengths))
    held_out = {}
    if len(strengths) > 1:
        mask = held_out_videos(train, seed=seed)
        held_out = _scores(train.take(~mask), train.take(mask), strengths, scaling, bar)
    best = max(held_out, key=held_out.get) if held_out else strengths[0]
    inputs = scaled(train.embeddings, test.embeddings, scaling=scaling)
    model = _fitted(linear_model.LogisticRegression(), inputs[0], train.labels, best)
    probabilities = np.zeros([len(test.labels), num_classes])
    probabilities[:, model.classes_] = model.predict_proba(inputs[1])
    bar.update(_num_fits(strengths))
    bar.close()
    return Outcome(probabilities, best, held_out)


def held_out_videos(train: table.Table, *, seed: int) -> np.ndarray:
    """Returns a mask of about a fifth of each class, bool [num_videos].

    Clips that UCF-101 cut out of one video (`…_g08_c02`) are held out together: they look alike,
    and would speak for a probe that knows them by heart. A video without a name is a group of its
    own. A class of one group stays in training.

    Raises:
        UserError: no class has two groups.
    """
    groups = _groups(train.example_ids)
    generator = np.random.default_rng(seed)
    mask = np.zeros(len(groups), bool)
    for label in np.unique(train.labels):
        own = np.unique(groups[train.labels == label])
        chosen = generator.permutation(own)[: max(1, len(own) // _HELD_OUT)]
        if len(own) > 1:
            mask |= (train.labels == label) & np.isin(groups, chosen)
    if not mask.any():
        raise errors.UserError(
            "No class has two videos to hold one out of; give a single strength with --l2."
        )
    return mask


def scaled(train: np.ndarray, test: np.ndarray, *, scaling: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns embeddings as the probe takes them, float32; see `fit`."""
    if scaling == "normalize":
        return metrics.normalized(train), metrics.normalized(test)
    if scaling == "standardize":
        mean, spread = train.mean(axis=0), train.std(axis=0)
        # A dimension that never changes tells nothing, and test videos may not make it do so.
        factor = np.where(spread > 1e-6 * np.abs(mean), 1 / np.maximum(spread, 1e-30), 0)
        return (train - mean) * factor, (test - mean) * factor
    return train, test


def _groups(example_ids):
    """Numbers that are equal for what is of one video."""
    named = [_OF_ONE_VIDEO.sub(r"\1", str(name)) for name in example_ids]
    keys = [(name,) if name else ("", place) for place, name in enumerate(named)]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([numbers[key] for key in keys])


def _scores(train, held_out, strengths, scaling, bar):
    """Top-1 of the held-out videos by strength, each fit beginning where a stronger one ended."""
    inputs = scaled(train.embeddings, held_out.embeddings, scaling=scaling)
    model, scores = linear_model.LogisticRegression(warm_start=True), {}
    for done, strength in enumerate(strengths, start=1):
        _fitted(model, inputs[0], train.labels, strength)
        scores[strength] = float(np.mean(model.predict(inputs[1]) == held_out.labels))
        bar.update(done, {"l2": f"{strength:g}", "held-out top-1": f"{scores[strength]:.1%}"})
    return scores


def _fitted(model, embeddings, labels, strength):
    # scikit-learn sums over the videos what is a mean here, and weighs that against the weights. Of
    # two classes it knows the weights' difference w alone: ‖w / 2‖² + ‖-w / 2‖² is half of ‖w‖².
    factor = 2 if len(np.unique(labels)) == 2 else 1
    model.set_params(C=factor / (strength * len(labels)), max_iter=_MAX_ITERATIONS)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", exceptions.ConvergenceWarning)
        model.fit(embeddings, labels)
    for warning in caught:
        # What follows an empty line is scikit-learn's advice to those who call it.
        said = " ".join(str(warning.message).split("\n\n")[0].split())
        print(f"l2 {strength:g}: {said}", flush=True)
    return model


def _num_fits(strengths):
    return len(strengths) + 1 if len(strengths) > 1 else 1
