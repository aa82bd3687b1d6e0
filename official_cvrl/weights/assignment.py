# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Puts stored weights into a backbone, all of them or none."""

import re

import numpy as np
import tensorflow as tf

from official_cvrl import errors
from official_cvrl.weights import stored


def variables(backbone: tf.keras.Model) -> dict[str, tf.Variable]:
    """Returns a backbone's variables by name: "stages/0/1/norms/2/gamma", say.

    The names are those of attributes, as in the checkpoints that hold the backbone.
    """
    view = tf.train.TrackableView(backbone)
    queue, seen, found = [("", backbone)], {id(backbone)}, {}
    for path, trackable in queue:
        if isinstance(trackable, tf.Variable):
            found[path] = trackable
        for name, child in sorted(view.children(trackable).items()):
            if id(child) not in seen:
                seen.add(id(child))
                queue.append((f"{path}/{name}".lstrip("/"), child))
    return found


def assign(backbone: tf.keras.Model, weights: stored.StoredWeights, *, path: str) -> None:
    """Gives a backbone the weights out of a file.

    A kernel that spans one frame is inflated where the backbone's spans t: repeated t times and
    divided by t, so that a video that stands still gives what its one frame gives.

    Args:
        backbone: a built backbone.
        weights: what the file holds.
        path: the file, for the message.

    Raises:
        UserError: something is missing, left over or of another shape; it is named, and nothing
            was assigned.
    """
    expected = variables(backbone)
    fitted = {
        name: _inflated(value, expected[name].shape)
        for name, value in weights.values.items()
        if name in expected
    }
    problems = {
        "of another shape": [
            f"{name}: {list(weights.values[name].shape)}, {expected[name].shape.as_list()} expected"
            for name, value in fitted.items()
            if list(value.shape) != expected[name].shape.as_list()
        ],
        "missing": _wholes(expected.keys() - fitted.keys(), expected),
        "left over": [
            *_wholes(weights.values.keys() - expected.keys(), weights.values),
            *weights.unplaced,
        ],
    }
    if any(problems.values()):
        raise errors.UserError(_mismatch(path, problems))
    for name, value in fitted.items():
        expected[name].assign(value)


def _inflated(kernel, shape):
    if kernel.ndim != 5 or len(shape) != 5 or kernel.shape[0] != 1:
        return kernel
    return np.repeat(kernel, shape[0], axis=0) / shape[0]


def _wholes(names, all_names):
    """Names whatever is concerned as a whole once: "stages/2/6" for all that is in that block."""
    touched = {prefix for name in all_names if name not in names for prefix in _prefixes(name)}
    return list({next(p for p in _prefixes(name) if p not in touched) for name in names})


def _prefixes(name):
    """Returns "a", "a/b" and "a/b/c" for "a/b/c"."""
    parts = name.split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts) + 1)]


def _mismatch(path, problems, most=20):
    lines = []
    for what, names in problems.items():
        lines += [f"{len(names)} {what}:"] if names else []
        names = sorted(names, key=_natural)
        lines += [f"  {name}" for name in names[:most]]
        lines += [f"  … and {len(names) - most} more"] if len(names) > most else []
    listed = "\n  ".join(lines)
    return (
        f"{path} does not fit this backbone; nothing was loaded. Give the backbone the depth, "
        f"width and temporal kernel sizes of these weights, or take other weights.\n  {listed}"
    )


def _natural(name):
    """Sorts what is further up first, and block 2 before block 10."""
    parts = re.split(r"[/-]", name.partition(":")[0])
    return len(parts), [(len(part) if part.isdecimal() else 0, part) for part in parts]
