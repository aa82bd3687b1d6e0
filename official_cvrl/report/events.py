# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What a run wrote for TensorBoard, read back: scalars, pictures, times."""

import collections
import dataclasses
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Series:
    """One scalar over the steps.

    Attributes:
        steps: int64 [num_points], ascending.
        values: float64 [num_points], finite.
    """

    steps: np.ndarray
    values: np.ndarray


@dataclasses.dataclass(frozen=True)
class Events:
    """What the event files of one folder hold.

    Attributes:
        scalars: by tag.
        pictures: by tag, PNG files.
        seconds: from the first event to the last of each file, summed up.
        ended: when the last event was written, in seconds since 1970; 0 without events.
    """

    scalars: Mapping[str, Series]
    pictures: Mapping[str, tuple[bytes, ...]]
    seconds: float
    ended: float


def read(folder: str) -> Events:
    """Reads all event files of a folder, of which there may be none.

    A run that was resumed wrote several. It went on from a checkpoint, so from a file's first
    point of a tag on, what earlier files have of that tag is history that did not come to pass.
    """
    scalars: dict[str, dict[int, float]] = {}
    pictures: dict[str, tuple[bytes, ...]] = {}
    seconds = ended = 0.0
    for events in _files(folder):
        for tag, points in _scalars(events).items():
            first = min(points)
            kept = {s: v for s, v in scalars.get(tag, {}).items() if s < first}
            scalars[tag] = kept | points
        pictures |= _pictures(events)
        seconds += events[-1].wall_time - events[0].wall_time
        ended = max(ended, events[-1].wall_time)
    series = {tag: _series(points) for tag, points in scalars.items()}
    return Events({tag: s for tag, s in series.items() if s.steps.size}, pictures, seconds, ended)


def _files(folder) -> list[list[Any]]:
    """The events of each file that has any, the files in the order they were begun."""
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    files = [list(_events(os.path.join(folder, name))) for name in names if ".tfevents." in name]
    return sorted(filter(None, files), key=lambda events: events[0].wall_time)


def _events(path) -> Iterator[Any]:
    records = iter(tf.data.TFRecordDataset(path).as_numpy_iterator())
    while True:
        try:
            yield tf.compat.v1.Event.FromString(next(records))
        except (StopIteration, tf.errors.DataLossError):  # A killed run ends within a record.
            return


def _scalars(events):
    found = collections.defaultdict(dict)
    for event in events:
        for value in event.summary.value:
            if value.tensor.dtype != tf.string.as_datatype_enum:
                tensor = tf.make_ndarray(value.tensor)
                if tensor.ndim == 0:
                    found[value.tag][event.step] = float(tensor)
    return found


def _pictures(events):
    """Pictures by tag; TensorBoard keeps them as [width, height, PNG, PNG, …]."""
    found = {}
    for event in events:
        for value in event.summary.value:
            if value.metadata.plugin_data.plugin_name == "images":
                found[value.tag] = tuple(value.tensor.string_val[2:])
    return found


def _series(points):
    finite = {step: value for step, value in sorted(points.items()) if np.isfinite(value)}
    return Series(
        np.array(list(finite), dtype=np.int64), np.array(list(finite.values()), dtype=np.float64)
    )
