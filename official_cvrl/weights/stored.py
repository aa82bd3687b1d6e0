# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Weights out of a file, by the names that they have in our backbone."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class StoredWeights:
    """What a file holds of a backbone.

    Attributes:
        values: by the name of the backbone's variable, as `assignment.variables` gives it.
        unplaced: names, in the file, of what the backbone has no place for.
    """

    values: Mapping[str, np.ndarray]
    unplaced: Sequence[str] = ()
