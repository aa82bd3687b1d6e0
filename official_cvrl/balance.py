# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Which part of each class is kept where a share of a data set is taken: by name alone."""

import hashlib
from collections.abc import Collection, Hashable, Mapping


def stable_order(name: str) -> str:
    """Returns a sort key that shuffles names the same way everywhere."""
    return hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()


def kept(
    names_by_class: Mapping[Hashable, Collection[str]], *, fraction: float, seed: int
) -> set[str]:
    """Returns the names that are kept: a share of each class, rounded, at least one (section 4.1).

    Which ones depends on the names and the seed alone, so it is the same on every machine, and a
    smaller share lies within a larger one. A name of several classes is kept if one of them keeps
    it; one order for all classes lets those who share names mostly keep the same ones.

    Args:
        names_by_class: the names of each class, each once.
        fraction: above 0, at most 1.
        seed: of the choice.
    """
    return {
        name
        for names in names_by_class.values()
        for name in sorted(names, key=lambda name: stable_order(f"{seed}/{name}"))[
            : max(1, round(len(names) * fraction))
        ]
    }
