# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A video's rows of the table: what its stretches are embedded as; or why it has none."""

import dataclasses
import json
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Fault:
    """What is wrong with a video, or a folder of them."""

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
        fault: empty, or in words what is lost of the video, and so is in no row.
        state: of the file when it was read; see `video_files.state`.
    """

    path: str
    start_us: np.ndarray
    end_us: np.ndarray
    embeddings: np.ndarray
    fault: str = ""
    state: Sequence[int] = ()

    def to_bytes(self) -> bytes:
        """Returns what `from_bytes` reads."""
        times = self.start_us.tolist(), self.end_us.tolist()
        facts = [self.path, *times, self.fault, [*self.state]]
        return json.dumps(facts).encode() + b"\n" + self.embeddings.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Rows":
        """Reads what `to_bytes` wrote."""
        line, _, values = data.partition(b"\n")
        path, start_us, end_us, fault, state = json.loads(line)
        embeddings = np.frombuffer(values, np.float32).reshape(len(start_us), -1)
        times = np.array(start_us), np.array(end_us)
        return cls(path, *times, embeddings, fault=fault, state=tuple(state))
