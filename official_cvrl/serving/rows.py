# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A video's rows of the table: what its stretches are embedded as; or why it has none."""

import dataclasses
import json

import numpy as np


@dataclasses.dataclass(frozen=True)
class Fault:
    """What is wrong with a video, and therefore with its rows."""

    path: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Rows:
    """One row for the whole video, or one for each window.

    Attributes:
        path: of the video, as text that any encoder takes.
        start_us: int64 [num_rows], where in the video a row begins, in microseconds.
        end_us: int64 [num_rows], where it ends.
        embeddings: float32 [num_rows, dim].
    """

    path: str
    start_us: np.ndarray
    end_us: np.ndarray
    embeddings: np.ndarray

    def to_bytes(self) -> bytes:
        """Returns what `from_bytes` reads."""
        facts = [self.path, self.start_us.tolist(), self.end_us.tolist()]
        return json.dumps(facts).encode() + b"\n" + self.embeddings.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Rows":
        """Reads what `to_bytes` wrote."""
        line, _, values = data.partition(b"\n")
        path, start_us, end_us = json.loads(line)
        embeddings = np.frombuffer(values, np.float32).reshape(len(start_us), -1)
        return cls(path, np.array(start_us), np.array(end_us), embeddings)
