# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The part of the record contract that says when: temporal segments, under MediaSequence's keys."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

# Context: temporal segments, a value per segment in each.
_START = "segment/start/timestamp"
_START_INDEX = "segment/start/index"
_END = "segment/end/timestamp"
_END_INDEX = "segment/end/index"
_LABEL = "segment/label/index"
_LABEL_NAME = "segment/label/string"


@dataclasses.dataclass(frozen=True)
class Segment:
    """A part of the video with one label; a part with several labels is several segments.

    Attributes:
      start_us: where it starts in the source video, in microseconds.
      end_us: where it ends in the source video, in microseconds.
      label: class index, counted from 0; -1 when a record of others gives a name only.
      label_name: the name of `label`; may be empty.
    """

    start_us: int
    end_us: int
    label: int
    label_name: str = ""


def encode(
    segments: Sequence[Segment], *, timestamps_us: Sequence[int]
) -> dict[str, tf.train.Feature]:
    """Returns the context features that hold temporal segments; none for none.

    Args:
      segments: in any order; they may overlap.
      timestamps_us: microseconds of each frame of the record.

    Raises:
      ValueError: a segment ends before it starts, holds no frame, or has a negative label.
    """
    if not segments:
        return {}
    spans = [
        _frame_span(segment, name=f"segments[{index}]", timestamps_us=timestamps_us)
        for index, segment in enumerate(segments)
    ]
    context = {
        _START: _ints([segment.start_us for segment in segments]),
        _START_INDEX: _ints([first for first, _ in spans]),
        _END: _ints([segment.end_us for segment in segments]),
        _END_INDEX: _ints([last for _, last in spans]),
        _LABEL: _ints([segment.label for segment in segments]),
    }
    if any(segment.label_name for segment in segments):
        names = [segment.label_name for segment in segments]
        context[_LABEL_NAME] = _strings(names)
    return context


def _frame_span(segment: Segment, *, name: str, timestamps_us: Sequence[int]) -> tuple[int, int]:
    """Returns the first and the last frame within a segment."""
    if segment.end_us < segment.start_us:
        raise ValueError(f"{name}={segment} ends before it starts.")
    if segment.label < 0:
        raise ValueError(f"{name}.label={segment.label} is negative.")
    inside = [
        index
        for index, time in enumerate(timestamps_us)
        if segment.start_us <= time <= segment.end_us
    ]
    if not inside:
        raise ValueError(f"{name}={segment} holds none of the {len(timestamps_us)} frames.")
    return inside[0], inside[-1]


def _ints(values: Sequence[int]) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def _strings(values: Sequence[str]) -> tf.train.Feature:
    encoded = [value.encode() for value in values]
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=encoded))


def decode(proto: tf.train.SequenceExample) -> tuple[Segment, ...]:
    """Reads the temporal segments of a record in Python.

    Raises:
      ValueError: their lists disagree in length.
    """
    starts, ends, labels = (
        list(proto.context.feature[key].int64_list.value) for key in (_START, _END, _LABEL)
    )
    encoded = proto.context.feature[_LABEL_NAME].bytes_list.value
    names = [name.decode(errors="replace") for name in encoded]
    count = len(starts)
    if not count:  # Segments of others may be counted in frames alone; ours never are.
        return ()
    labels = labels or [-1] * count
    names = names or [""] * count
    if not len(ends) == len(labels) == len(names) == count:
        raise ValueError(
            f"its segments cannot be read: {count} starts, {len(ends)} ends, "
            f"{len(labels)} labels, {len(names)} names"
        )
    return tuple(map(Segment, starts, ends, labels, names))
