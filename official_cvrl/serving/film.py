# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What persons do at the key seconds of a film, seen as evaluation sees records of it."""

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from official_cvrl import amounts, detection_metrics, progress
from official_cvrl.data import detection, spatial
from official_cvrl.serving import person_boxes, record_cut
from official_cvrl.tasks import detector
from tfrecords_tools import annotations, key_frames, video

_MICROSECONDS = annotations.MICROSECONDS


@dataclasses.dataclass(frozen=True)
class Seen:
    """A key second with what is said of its persons.

    Attributes:
        second: of the film.
        persons: who is there.
        scores: float32 [num_persons, num_classes] in [0, 1].
    """

    second: float
    persons: Sequence[person_boxes.Person]
    scores: np.ndarray


@dataclasses.dataclass(frozen=True)
class Found:
    """What a film holds.

    Attributes:
        seen: the key seconds, in order.
        refused: why others are not among them.
    """

    seen: Sequence[Seen]
    refused: Sequence[str]


def every_second(path: str) -> person_boxes.KeySeconds:
    """Returns every whole second of a film with the whole frame as the one box.

    Raises:
        video.VideoError: the file cannot be opened, or does not say how long it is.
    """
    length_us = video.length_us(path)
    if not length_us:
        raise video.VideoError("the file does not say how long it is; give --boxes")
    return {
        float(second): (person_boxes.WHOLE_FRAME,)
        for second in range(math.ceil(length_us / _MICROSECONDS))
    }


def detect(
    path: str,
    seconds: person_boxes.KeySeconds,
    model: detector.Detector,
    *,
    cut: record_cut.Cut,
) -> Found:
    """Asks a detector about the persons of each key second.

    Around each a clip is cut as `convert --dataset=boxes` cuts it, so that the scores are those of
    records of the film that were cut alike.

    Args:
        path: of the film.
        seconds: who is where, and when.
        model: to ask.
        cut: how clips are cut.

    Raises:
        video.VideoError: the file cannot be opened, or has no video.
    """
    length_us = video.length_us(path)
    canvas = _canvas(model.tested)
    shown = progress.Progress(
        label=f"detect {os.path.basename(path)}", unit="key frames", total=len(seconds)
    )
    seen, refused = [], []
    for done, (second, persons) in enumerate(seconds.items(), start=1):
        try:
            clip, filled = canvas(
                _frames(path, second, model.tested.clip, length_us=length_us, cut=cut)
            )
        except video.VideoError as error:
            there = amounts.counted(len(persons), "box", "boxes")
            refused.append(f"{path} at {second:g} s, {there}: {error}")
        else:
            boxes = np.array([one.corners for one in persons], np.float32).reshape([-1, 4])
            scores = model.scores(clip.numpy(), boxes * np.tile(filled.numpy(), 2))
            seen.append(Seen(second, persons, scores))
        shown.update(done)
    shown.close()
    return Found(seen, refused)


def _canvas(tested: detection.TestInput):
    def fitted(encoded):
        return spatial.decode_fitted(
            encoded, height=tested.clip.min_resize, width=tested.longest_side
        )

    return tf.function(fitted, input_signature=[tf.TensorSpec([tested.clip.num_frames], tf.string)])


def _frames(path, second, clip, *, length_us, cut):
    """The JPEGs of the clip around a key second."""
    time_us = round(second * _MICROSECONDS)
    start_us, end_us = key_frames.around(time_us, seconds=cut.seconds)
    end_us = key_frames.end_within(end_us, time_us=time_us, length_us=length_us)
    encoded = video.read_video(path, settings=cut.settings, start_us=start_us, end_us=end_us)
    indices = detection.key_clip_frames(
        len(encoded.frames),
        key_frame_index=key_frames.index(encoded, time_us),
        num_frames=clip.num_frames,
        temporal_stride=clip.temporal_stride,
    )
    return tf.constant([encoded.frames[index] for index in indices.numpy()])


def boxes(seen: Sequence[Seen]) -> detection_metrics.Boxes:
    """Returns a box for each person and class; frames are places in `seen`."""
    corners, scores = (
        [[one.corners for one in each.persons] for each in seen],
        [each.scores for each in seen],
    )
    rows = [
        (frame, person, label)
        for frame, each in enumerate(scores)
        for person, label in np.ndindex(each.shape)
    ]
    return detection_metrics.Boxes(
        np.array([frame for frame, _, _ in rows]),
        np.array([corners[frame][person] for frame, person, _ in rows]),
        np.array([label for _, _, label in rows]),
        np.array([scores[frame][person, label] for frame, person, label in rows]),
    )


def captions(
    seen: Sequence[Seen], label_names: Sequence[str], *, min_score: float, most: int
) -> Mapping[float, Sequence[tuple[person_boxes.Person, Sequence[str]]]]:
    """Returns, by second, what is to be written at each person's box.

    Args:
        seen: see `Found`.
        label_names: of the classes, in order.
        min_score: actions of a lower score are left out, but for the likeliest.
        most: actions of a person, at least 1.
    """
    return {
        each.second: [
            (person, _lines(person, row, label_names, min_score=min_score, most=most))
            for person, row in zip(each.persons, each.scores, strict=True)
        ]
        for each in seen
    }


def _lines(person, scores, names, *, min_score, most):
    order = np.argsort(-scores, kind="stable")[:most]
    lines = [
        f"{names[label]} {scores[label]:.2f}"
        for place, label in enumerate(order)
        if not place or scores[label] >= min_score
    ]
    return lines if person.number is None else [f"person {person.number}", *lines]
