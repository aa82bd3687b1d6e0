# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The part of the record contract that says where: person boxes.

Boxes belong to one key frame of the clip, and stand in a record twice: as MediaSequence's
`region/*`, feature lists with a Feature per frame, and as `clip/key_frame/*` in the context, where
the Model Garden's AVA reader looks for them. Both are tables with one row per box and label, so a
box with several labels is repeated. `records.py` and `segments.py` write and read the rest of a
record; these three files alone know keys.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

_CORNERS = ("ymin", "xmin", "ymax", "xmax")

# The columns of the two tables. MediaSequence has no score of a box, only one of each label.
_REGION_COLUMNS = {
    "ymin": ("region/bbox/ymin", tf.float32),
    "xmin": ("region/bbox/xmin", tf.float32),
    "ymax": ("region/bbox/ymax", tf.float32),
    "xmax": ("region/bbox/xmax", tf.float32),
    "score": ("region/label/confidence", tf.float32),
    "label": ("region/label/index", tf.int64),
    "label_name": ("region/label/string", tf.string),
    "track": ("region/track/index", tf.int64),
}
_KEY_FRAME_COLUMNS = {
    "ymin": ("clip/key_frame/bbox/ymin", tf.float32),
    "xmin": ("clip/key_frame/bbox/xmin", tf.float32),
    "ymax": ("clip/key_frame/bbox/ymax", tf.float32),
    "xmax": ("clip/key_frame/bbox/xmax", tf.float32),
    "score": ("clip/key_frame/bbox/score", tf.float32),
    "label": ("clip/key_frame/bbox/label/index", tf.int64),
    "label_name": ("clip/key_frame/bbox/label/string", tf.string),
}
# What a box has where its record says nothing. A label of -1 is padding to the Model Garden, too.
_DEFAULTS = {"score": 1.0, "label": -1, "label_name": "", "track": -1}

# Feature lists: one value per frame.
_FRAMES = "image/encoded"
_IS_ANNOTATED = "region/is_annotated"
_TIMESTAMPS = "region/timestamp"

# Context. The Model Garden's AVA reader knows the first name, its AVA-Kinetics reader the second;
# the latter counts labels from 1, so ours go under the first alone.
_KEY_FRAME_INDEX = "key_frame/frame_index"
_KEY_FRAME_INDEX_ELSEWHERE = "clip/key_frame/frame_index"


@dataclasses.dataclass(frozen=True)
class Box:
    """A person in the key frame; records hold coordinates and score as float32.

    Attributes:
      ymin: upper edge, in [0, 1] of the frame's height.
      xmin: left edge, in [0, 1] of the frame's width.
      ymax: lower edge, greater than `ymin`.
      xmax: right edge, greater than `xmin`.
      labels: class indices, counted from 0; several for a person who does several things.
      label_names: empty, or the names of `labels`.
      score: how sure the annotator or detector is of the box, in [0, 1].
      track: the person's number through the video, if known.
    """

    ymin: float
    xmin: float
    ymax: float
    xmax: float
    labels: tuple[int, ...] = ()
    label_names: tuple[str, ...] = ()
    score: float = 1.0
    track: int | None = None


@dataclasses.dataclass(frozen=True)
class KeyFrame:
    """The annotated frame of a clip.

    Attributes:
      frame_index: which of the record's frames.
      boxes: everyone in it; empty if it was looked at and nobody is there.
    """

    frame_index: int
    boxes: tuple[Box, ...]


def encode_key_frame(
    key_frame: KeyFrame, *, timestamps_us: Sequence[int]
) -> tuple[dict[str, tf.train.Feature], dict[str, tf.train.FeatureList]]:
    """Returns the context features and the feature lists that hold a key frame's boxes.

    Args:
      key_frame: the annotated frame.
      timestamps_us: microseconds of each frame of the record.

    Raises:
      ValueError: the frame is not in the record, or a box is not one; see `Box`.
    """
    num_frames = len(timestamps_us)
    if not 0 <= key_frame.frame_index < num_frames:
        raise ValueError(
            f"key_frame.frame_index={key_frame.frame_index} is none of {num_frames} frames."
        )
    _check_boxes(key_frame.boxes)
    rows = _rows(key_frame.boxes)
    here = [index == key_frame.frame_index for index in range(num_frames)]
    context = {_KEY_FRAME_INDEX: _feature([key_frame.frame_index], tf.int64)}
    for name in rows.keys() & _KEY_FRAME_COLUMNS.keys():
        key, dtype = _KEY_FRAME_COLUMNS[name]
        context[key] = _feature(rows[name], dtype)
    lists = {
        _IS_ANNOTATED: _feature_list([[int(is_here)] for is_here in here], tf.int64),
        _TIMESTAMPS: _feature_list([[time] for time in timestamps_us], tf.int64),
    }
    for name, values in rows.items():
        key, dtype = _REGION_COLUMNS[name]
        lists[key] = _feature_list([values if is_here else [] for is_here in here], dtype)
    return context, lists


def _rows(boxes: Sequence[Box]) -> dict[str, list]:
    """Returns the columns of a table with one row per box and label."""
    rows = {name: [] for name in _REGION_COLUMNS}
    for box in boxes:
        labels = box.labels or (_DEFAULTS["label"],)
        for name in _CORNERS:
            rows[name] += [getattr(box, name)] * len(labels)
        rows["score"] += [box.score] * len(labels)
        rows["label"] += labels
        rows["label_name"] += box.label_names or [_DEFAULTS["label_name"]] * len(labels)
        rows["track"] += [_DEFAULTS["track"] if box.track is None else box.track] * len(labels)
    for name in ("label", "label_name", "track"):  # Absent reads as unknown; a default does not.
        if all(value == _DEFAULTS[name] for value in rows[name]):
            del rows[name]
    return rows


def _check_boxes(boxes: Sequence[Box]) -> None:
    places = {}
    for index, box in enumerate(boxes):
        name = f"key_frame.boxes[{index}]"
        _check_box(box, name=name)
        place = (*_rounded_corners(box), box.track)
        if place in places:
            raise ValueError(
                f"{name}={box} repeats key_frame.boxes[{places[place]}]; give one box all labels."
            )
        places[place] = index


def _check_box(box: Box, *, name: str) -> None:
    for corner in (*_CORNERS, "score"):
        value = getattr(box, corner)
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"{name}.{corner}={value} is outside [0, 1].")
    ymin, xmin, ymax, xmax = _rounded_corners(box)
    if not (ymin < ymax and xmin < xmax):
        raise ValueError(f"{name}={box} has no area.")
    if min(box.labels, default=0) < 0:
        raise ValueError(f"{name}.labels={box.labels} holds a negative index.")
    if box.label_names and len(box.label_names) != len(box.labels):
        raise ValueError(f"{name}.label_names={box.label_names} does not name labels={box.labels}.")
    if box.track is not None and box.track < 0:
        raise ValueError(f"{name}.track={box.track} is negative.")


def _rounded_corners(box: Box) -> tuple[float, ...]:
    """Returns the corners as a record holds them."""
    return tuple(float(np.float32(getattr(box, name))) for name in _CORNERS)


def _feature(values: Sequence, dtype: tf.DType) -> tf.train.Feature:
    if dtype == tf.int64:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
    if dtype == tf.float32:
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    encoded = [value.encode() for value in values]
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=encoded))


def _feature_list(steps: Sequence[Sequence], dtype: tf.DType) -> tf.train.FeatureList:
    return tf.train.FeatureList(feature=[_feature(values, dtype) for values in steps])


# In a user's `map`, AutoGraph would rewrite it, though there is nothing to rewrite.
@tf.autograph.experimental.do_not_convert
def parse_boxes(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    """Reads the boxes of a record's key frame in a graph; ours and others' alike.

    Where a record names no key frame, it is the annotated frame nearest to the clip's middle.

    Args:
      serialized: scalar string, a serialized `tf.train.SequenceExample`.

    Returns:
      `key_frame_index`: int64 `[]`, which of the record's frames; -1 when none is annotated.
      `boxes`: float32 `[num_boxes, 4]` in [0, 1], each (ymin, xmin, ymax, xmax), no two the same.
      `scores`: float32 `[num_boxes]`, the greatest of a box's scores; 1 when the record gives none.
      `tracks`: int64 `[num_boxes]`, -1 when unknown.
      `labels`: int64 `[num_labels]`, as the record counts them.
      `label_names`: string `[num_labels]`, empty strings when the record has none.
      `label_boxes`: int64 `[num_labels]`, the row of `boxes` that a label belongs to.

    Raises:
      tf.errors.InvalidArgumentError: lists disagree in length, or the key frame is none of the
        frames.
    """
    context, lists = _parse_columns(serialized)
    num_frames = tf.size(lists[_FRAMES], out_type=tf.int64)
    key_frame_index = _find_key_frame(context, lists, num_frames=num_frames)
    regions = {
        name: tf.boolean_mask(
            lists[key].values, tf.equal(lists[key].value_rowids(), key_frame_index)
        )
        for name, (key, _) in _REGION_COLUMNS.items()
    }
    others = {name: context[key].values for name, (key, _) in _KEY_FRAME_COLUMNS.items()}
    others["track"] = tf.zeros([0], tf.int64)
    has_regions = tf.add_n([tf.size(regions[name]) for name in _CORNERS]) > 0
    rows = _complete(tf.cond(has_regions, lambda: regions, lambda: others))
    _check(
        (key_frame_index >= 0) | tf.equal(tf.size(rows["ymin"]), 0),
        f"there are boxes, but no {_KEY_FRAME_INDEX} says of which frame",
    )
    return {"key_frame_index": key_frame_index, **_merge(rows)}


def _parse_columns(serialized: tf.Tensor) -> tuple[dict, dict]:
    indices = ((_KEY_FRAME_INDEX, tf.int64), (_KEY_FRAME_INDEX_ELSEWHERE, tf.int64))
    per_frame = ((_IS_ANNOTATED, tf.int64), *_REGION_COLUMNS.values())
    return tf.io.parse_single_sequence_example(
        serialized,
        context_features={
            key: tf.io.VarLenFeature(dtype)
            for key, dtype in (*indices, *_KEY_FRAME_COLUMNS.values())
        },
        sequence_features={
            _FRAMES: tf.io.FixedLenSequenceFeature([], tf.string),
            **{
                key: tf.io.RaggedFeature(dtype, row_splits_dtype=tf.int64)
                for key, dtype in per_frame
            },
        },
    )


def _find_key_frame(
    context: Mapping[str, tf.SparseTensor],
    lists: Mapping[str, tf.RaggedTensor],
    *,
    num_frames: tf.Tensor,
) -> tf.Tensor:
    for key in (_IS_ANNOTATED, *(key for key, _ in _REGION_COLUMNS.values())):
        steps = lists[key].nrows()
        aligned = tf.equal(steps, 0) | tf.equal(steps, num_frames)
        _check(
            aligned, f"{key} needs a Feature per frame; it has, and there are:", steps, num_frames
        )
    flagged = tf.where(tf.reduce_sum(lists[_IS_ANNOTATED], axis=1) > 0)[:, 0]
    with_boxes = tf.where(lists[_REGION_COLUMNS["ymin"][0]].row_lengths() > 0)[:, 0]
    annotated = tf.cond(tf.size(flagged) > 0, lambda: flagged, lambda: with_boxes)
    from_middle = tf.argsort(tf.abs(2 * annotated - (num_frames - 1)), stable=True)
    named = [context[_KEY_FRAME_INDEX].values, context[_KEY_FRAME_INDEX_ELSEWHERE].values]
    index = tf.concat([*named, tf.gather(annotated, from_middle), [-1]], axis=0)[0]
    inside = (index >= -1) & (index < num_frames)
    _check(inside, f"{_KEY_FRAME_INDEX} is none of the frames; it is, of:", index, num_frames)
    return index


def _complete(rows: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Returns the columns in equal length, with defaults for those that the record leaves out."""
    num_rows = tf.size(rows["ymin"])
    complete = {}
    for name, values in rows.items():
        size = tf.size(values)
        absent = tf.equal(size, 0) if name in _DEFAULTS else False
        _check(
            tf.equal(size, num_rows) | absent,
            f"each box needs one {name}; there are, and boxes:",
            size,
            num_rows,
        )
        default = tf.constant(_DEFAULTS.get(name, 0.0), values.dtype)
        complete[name] = tf.concat([values, tf.fill([num_rows - size], default)], axis=0)
    return complete


def _merge(rows: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Makes one box out of the rows that repeat it."""
    corners = tf.stack([rows[name] for name in _CORNERS], axis=1)
    # As integers, so that tracks keep all their bits beside the corners.
    places = tf.concat(
        [tf.cast(tf.bitcast(corners, tf.int32), tf.int64), rows["track"][:, tf.newaxis]], axis=1
    )
    unique, row_boxes = tf.raw_ops.UniqueV2(x=places, axis=[0], out_idx=tf.int64)
    is_label = rows["label"] >= 0
    boxes = tf.bitcast(tf.cast(unique[:, :4], tf.int32), tf.float32)
    return {
        "boxes": tf.ensure_shape(boxes, [None, 4]),
        "scores": tf.math.unsorted_segment_max(rows["score"], row_boxes, tf.shape(unique)[0]),
        "tracks": unique[:, 4],
        "labels": tf.boolean_mask(rows["label"], is_label),
        "label_names": tf.boolean_mask(rows["label_name"], is_label),
        "label_boxes": tf.boolean_mask(row_boxes, is_label),
    }


def _check(condition: tf.Tensor, words: str, *values: tf.Tensor) -> None:
    tf.debugging.Assert(condition, [words, *values])


def decode_key_frame(proto: tf.train.SequenceExample) -> KeyFrame | None:
    """Reads the key frame of a record in Python; None when no frame is annotated.

    Raises:
      ValueError: what `parse_boxes` cannot read.
    """
    keys = {_KEY_FRAME_INDEX, _KEY_FRAME_INDEX_ELSEWHERE, _IS_ANNOTATED}
    keys |= {key for key, _ in (*_KEY_FRAME_COLUMNS.values(), *_REGION_COLUMNS.values())}
    if keys.isdisjoint((*proto.context.feature, *proto.feature_lists.feature_list)):
        return None  # Most records have no boxes, and parsing takes longer than all the rest.
    serialized = tf.constant(proto.SerializeToString())
    try:
        parsed = {name: value.numpy() for name, value in parse_boxes(serialized).items()}
    except tf.errors.InvalidArgumentError as error:
        raise ValueError(f"its person boxes cannot be read: {error.message}") from error
    if parsed["key_frame_index"] < 0:
        return None
    boxes = tuple(_decode_box(parsed, index) for index in range(len(parsed["boxes"])))
    return KeyFrame(frame_index=int(parsed["key_frame_index"]), boxes=boxes)


def _decode_box(parsed: Mapping[str, np.ndarray], index: int) -> Box:
    mine = parsed["label_boxes"] == index
    names = [name.decode(errors="replace") for name in parsed["label_names"][mine]]
    track = int(parsed["tracks"][index])
    return Box(
        *parsed["boxes"][index].tolist(),
        labels=tuple(parsed["labels"][mine].tolist()),
        label_names=tuple(names) if any(names) else (),
        score=float(parsed["scores"][index]),
        track=None if track < 0 else track,
    )
