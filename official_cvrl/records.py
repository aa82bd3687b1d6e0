# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The record contract: which keys a SequenceExample holds, how to write them and how to read them.

One record is one video (or one clip cut from a longer one): a JPEG per frame, and what is known
about it. The keys are those of MediaPipe's MediaSequence, DeepMind's dmvr and the Model Garden at
once, so that any of the three reads our shards. The keys of person boxes are in `regions.py`, those
of temporal segments in `segments.py`; no file but these three names a key.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import tensorflow as tf
from google.protobuf import message

from official_cvrl import regions
from official_cvrl import segments as segments_lib

# Feature lists: one Feature per frame.
_FRAMES = "image/encoded"
_TIMESTAMPS = "image/timestamp"

# Context: how the frames look.
_FORMAT = "image/format"
_COLORSPACE = "image/colorspace"
_HEIGHT = "image/height"
_WIDTH = "image/width"
_CHANNELS = "image/channels"
_FRAME_RATE = "image/frame_rate"
_FRAMES_PATH = "image/data_path"

# Context: what the clip is and where it comes from.
_LABEL_INDEX = "clip/label/index"
_LABEL_TEXT = "clip/label/text"  # dmvr's name
_LABEL_STRING = "clip/label/string"  # MediaSequence's name for the same
_CLIP_PATH = "clip/data_path"
_MEDIA_ID = "clip/media_id"
_START = "clip/start/timestamp"
_END = "clip/end/timestamp"
_EXAMPLE_ID = "example/id"
_DATASET_NAME = "example/dataset_name"
_FILENAME = "video/filename"  # dmvr's name for the path

_JPEG_MAGIC = b"\xff\xd8\xff"
_OTHER_MAGICS = {b"\x89PNG": "PNG", b"GIF8": "GIF", b"BM": "BMP", b"RIFF": "WebP"}
_MAX_KEY = 2**63 - 1


@dataclasses.dataclass(frozen=True)
class Example:
    """One record outside TensorFlow's graph; what `encode_example` was given.

    Attributes:
      frames: one JPEG per frame.
      timestamps_us: microseconds of each frame since the start of the source video; may be empty
        in records that others wrote.
      height: of the frames, in pixels; 0 when the record does not say.
      width: of the frames, in pixels; 0 when the record does not say.
      frame_rate: frames a second; 0.0 when the record does not say.
      labels: class indices.
      label_names: the names of `labels`.
      example_id: names the record within its data set.
      data_path: the source video.
      start_us: where the clip starts in the source video.
      end_us: where the clip ends in the source video.
      dataset_name: the data set.
      key_frame: the frame whose persons have boxes; None when no frame is annotated.
      segments: labelled parts of the video.
    """

    frames: tuple[bytes, ...]
    timestamps_us: tuple[int, ...]
    height: int
    width: int
    frame_rate: float
    labels: tuple[int, ...]
    label_names: tuple[str, ...]
    example_id: str
    data_path: str
    start_us: int
    end_us: int
    dataset_name: str
    key_frame: regions.KeyFrame | None = None
    segments: tuple[segments_lib.Segment, ...] = ()

    def classes(self, known: Sequence[str]) -> tuple[str, ...]:
        """Names its classes: by the label map, else as the record does; the label -1 is none."""
        named = {**dict(zip(self.labels, self.label_names, strict=False)), **dict(enumerate(known))}
        told = (named.get(label, f"class {label}") for label in self.labels if label != -1)
        return tuple(told) if self.labels else self.label_names


def encode_example(
    frames: Sequence[bytes],
    *,
    height: int,
    width: int,
    frame_rate: float,
    timestamps_us: Sequence[int],
    labels: Sequence[int] = (),
    label_names: Sequence[str] = (),
    example_id: str,
    data_path: str = "",
    start_us: int = 0,
    end_us: int = 0,
    dataset_name: str = "",
    key_frame: regions.KeyFrame | None = None,
    segments: Sequence[segments_lib.Segment] = (),
) -> bytes:
    """Returns a serialized `tf.train.SequenceExample`; the same arguments give the same bytes.

    Args:
      frames: one JPEG per frame, at least one.
      height: of the frames, in pixels.
      width: of the frames, in pixels.
      frame_rate: frames a second.
      timestamps_us: for each frame, microseconds since the start of the source video.
      labels: class indices; empty for an unlabelled video, several for a multi-label one.
      label_names: empty, or the names of `labels`.
      example_id: names the record within its data set.
      data_path: the source video, relative to the data set's folder.
      start_us: where the clip starts in the source video, in microseconds.
      end_us: where the clip ends in the source video, in microseconds.
      dataset_name: the data set.
      key_frame: the frame whose persons have boxes, if one is annotated.
      segments: labelled parts of the video, in the time of `timestamps_us`.

    Raises:
      ValueError: no frames, a frame that is not JPEG, lengths that disagree, or boxes or segments
        that `regions` refuses.
    """
    _check_frames(frames, timestamps_us=timestamps_us)
    if label_names and len(label_names) != len(labels):
        raise ValueError(f"label_names={list(label_names)} does not name labels={list(labels)}.")
    context = {
        _FORMAT: _bytes(["JPEG"]),
        _COLORSPACE: _bytes(["RGB"]),
        _CHANNELS: _ints([3]),
        _HEIGHT: _ints([height]),
        _WIDTH: _ints([width]),
        _FRAME_RATE: tf.train.Feature(float_list=tf.train.FloatList(value=[frame_rate])),
        _FRAMES_PATH: _bytes([data_path]),
        _LABEL_INDEX: _ints(labels),
        _LABEL_TEXT: _bytes(label_names),
        _LABEL_STRING: _bytes(label_names),
        _CLIP_PATH: _bytes([data_path]),
        _MEDIA_ID: _bytes([data_path]),
        _START: _ints([start_us]),
        _END: _ints([end_us]),
        _EXAMPLE_ID: _bytes([example_id]),
        _DATASET_NAME: _bytes([dataset_name]),
        _FILENAME: _bytes([data_path]),
    }
    if not labels:  # An absent label reads as "unlabelled" everywhere; an empty one does not.
        for key in (_LABEL_INDEX, _LABEL_TEXT, _LABEL_STRING):
            del context[key]
    lists = {
        _FRAMES: tf.train.FeatureList(feature=[_bytes([frame]) for frame in frames]),
        _TIMESTAMPS: tf.train.FeatureList(feature=[_ints([time]) for time in timestamps_us]),
    }
    context |= segments_lib.encode(segments, timestamps_us=timestamps_us)
    if key_frame is not None:
        box_context, box_lists = regions.encode_key_frame(key_frame, timestamps_us=timestamps_us)
        context |= box_context
        lists |= box_lists
    example = tf.train.SequenceExample(
        context=tf.train.Features(feature=context),
        feature_lists=tf.train.FeatureLists(feature_list=lists),
    )
    return example.SerializeToString(deterministic=True)


def _check_frames(frames: Sequence[bytes], *, timestamps_us: Sequence[int]) -> None:
    if not frames:
        raise ValueError("frames=[] is empty; a record needs at least one frame.")
    if len(frames) != len(timestamps_us):
        raise ValueError(
            f"timestamps_us has {len(timestamps_us)} entries for {len(frames)} frames."
        )
    for index, frame in enumerate(frames):
        if not frame.startswith(_JPEG_MAGIC):
            raise ValueError(f"frames[{index}] is not JPEG; it starts with {frame[:8]!r}.")


def _ints(values: Sequence[int]) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def _bytes(values: Sequence[str | bytes]) -> tf.train.Feature:
    encoded = [value.encode() if isinstance(value, str) else value for value in values]
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=encoded))


# In a user's `map`, AutoGraph would rewrite it, though there is nothing to rewrite.
@tf.autograph.experimental.do_not_convert
def parse_example(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    """Reads a record in a graph; ours, MediaSequence's, dmvr's and the Model Garden's alike.

    Args:
      serialized: scalar string, a serialized `tf.train.SequenceExample`.

    Returns:
      `frames`: string `[num_frames]`, JPEG.
      `labels`: int64 `[num_labels]`, empty when the record has none.
      `example_id`: string `[]`; `example/id`, or else the path of the source and the clip's start.
      `example_key`: int64 `[]`, a stable hash of `example_id`, or of the first frame when the
        record names neither; seeds what is random about this example.
      `frame_rate`: float32 `[]`, frames a second; 0 when the record does not say.

    Raises:
      tf.errors.InvalidArgumentError: the record has another layout; `diagnose` says which.
    """
    text = tf.io.FixedLenFeature([], tf.string, default_value="")
    context, lists = tf.io.parse_single_sequence_example(
        serialized,
        context_features={
            _EXAMPLE_ID: text,
            _CLIP_PATH: text,
            _FILENAME: text,
            _START: tf.io.FixedLenFeature([], tf.int64, default_value=0),
            _LABEL_INDEX: tf.io.VarLenFeature(tf.int64),
            _FRAME_RATE: tf.io.FixedLenFeature([], tf.float32, default_value=0.0),
        },
        sequence_features={_FRAMES: tf.io.FixedLenSequenceFeature([], tf.string)},
    )
    frames = lists[_FRAMES]
    path = _first_non_empty(context[_CLIP_PATH], context[_FILENAME])
    # Several clips of one file are several examples, so a path alone would not tell them apart.
    path_and_start = tf.strings.join([path, tf.strings.as_string(context[_START])], separator="@")
    named_by_path = tf.where(tf.equal(path, ""), "", path_and_start)
    example_id = _first_non_empty(context[_EXAMPLE_ID], named_by_path)
    first_frame = tf.strings.reduce_join(frames[:1])
    hashed = _first_non_empty(example_id, first_frame)
    return {
        "frames": frames,
        "labels": context[_LABEL_INDEX].values,
        "example_id": example_id,
        "example_key": tf.strings.to_hash_bucket_fast(hashed, _MAX_KEY),
        "frame_rate": context[_FRAME_RATE],
    }


def _first_non_empty(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    return tf.where(tf.equal(first, ""), second, first)


def decode_example(serialized: bytes) -> Example:
    """Reads a record in Python; for looking at records, not for training.

    Raises:
      ValueError: the record has another layout; the message is that of `diagnose`, or says what is
        wrong with its boxes or segments.
    """
    fault = diagnose(serialized)
    if fault is not None:
        raise ValueError(fault)
    proto = tf.train.SequenceExample.FromString(serialized)
    lists = proto.feature_lists.feature_list
    names = _strings(proto, _LABEL_TEXT) or _strings(proto, _LABEL_STRING)
    start, end = _integers(proto, _START), _integers(proto, _END)
    paths = _strings(proto, _CLIP_PATH) or _strings(proto, _FILENAME)
    return Example(
        frames=tuple(feature.bytes_list.value[0] for feature in lists[_FRAMES].feature),
        timestamps_us=tuple(
            value for feature in lists[_TIMESTAMPS].feature for value in feature.int64_list.value
        ),
        height=_first(_integers(proto, _HEIGHT), default=0),
        width=_first(_integers(proto, _WIDTH), default=0),
        frame_rate=_first(proto.context.feature[_FRAME_RATE].float_list.value, default=0.0),
        labels=tuple(_integers(proto, _LABEL_INDEX)),
        label_names=tuple(names),
        example_id=_first(_strings(proto, _EXAMPLE_ID), default=""),
        data_path=_first(paths, default=""),
        start_us=_first(start, default=0),
        end_us=_first(end, default=0),
        dataset_name=_first(_strings(proto, _DATASET_NAME), default=""),
        key_frame=regions.decode_key_frame(proto),
        segments=segments_lib.decode(proto),
    )


def name_and_labels(serialized: bytes) -> tuple[str, tuple[int, ...]]:
    """Returns what `parse_example` calls `example_id` and `labels`.

    Args:
      serialized: a record, of which the part before the frames is enough.

    Raises:
      google.protobuf.message.DecodeError: it is no part of a `tf.train.SequenceExample`.
    """
    proto = tf.train.SequenceExample.FromString(serialized)
    paths = [*_strings(proto, _CLIP_PATH), *_strings(proto, _FILENAME)]
    path = _first([path for path in paths if path], default="")
    named_by_path = f"{path}@{_first(_integers(proto, _START), default=0)}" if path else ""
    name = _first(_strings(proto, _EXAMPLE_ID), default="") or named_by_path
    return name, tuple(_integers(proto, _LABEL_INDEX))


def _integers(proto: tf.train.SequenceExample, key: str) -> Sequence[int]:
    return proto.context.feature[key].int64_list.value


def _strings(proto: tf.train.SequenceExample, key: str) -> list[str]:
    values = proto.context.feature[key].bytes_list.value
    return [value.decode(errors="replace") for value in values]


def _first(values: Sequence, *, default):
    return values[0] if values else default


def diagnose(serialized: bytes) -> str | None:
    """Returns in words what keeps a record from being read and how to mend it, or None.

    Args:
      serialized: what a TFRecord file holds at one place.
    """
    try:
        proto = tf.train.SequenceExample.FromString(serialized)
    except message.DecodeError:
        return (
            "it is not a tf.train.SequenceExample (the bytes do not parse as one); "
            "write the records with official_cvrl.records.encode_example or convert the videos "
            "with tfrecords_tools.convert"
        )
    if not proto.feature_lists.feature_list[_FRAMES].feature:
        return _diagnose_missing_frames(proto)
    return _diagnose_frames(proto) or _diagnose_context(serialized)


def _diagnose_missing_frames(proto: tf.train.SequenceExample) -> str:
    context = proto.context.feature
    lists = proto.feature_lists.feature_list
    if _FRAMES in context:
        count = len(context[_FRAMES].bytes_list.value)
        return (
            f"{_FRAMES!r} with {count} value(s) is among the context features, as in a "
            "tf.train.Example; write a tf.train.SequenceExample with a feature list "
            f"{_FRAMES!r} that has one Feature per frame"
        )
    elsewhere = [key for key in lists if _looks_like_jpeg(lists[key].feature)]
    elsewhere += [key for key in context if _looks_like_jpeg([context[key]])]
    if elsewhere:
        return f"the frames are under {elsewhere[0]!r}; rename that feature list to {_FRAMES!r}"
    keys = sorted(set(context) | {key for key in lists if lists[key].feature})
    return (
        f"it has no frames: the feature list {_FRAMES!r} is missing or empty "
        f"(keys found: {', '.join(keys) or 'none'}); leave videos without frames out, and write "
        f"one JPEG per frame under {_FRAMES!r}"
    )


def _looks_like_jpeg(features: Sequence[tf.train.Feature]) -> bool:
    values = features[0].bytes_list.value if features else ()
    return bool(values) and values[0].startswith(_JPEG_MAGIC)


def _diagnose_frames(proto: tf.train.SequenceExample) -> str | None:
    features = proto.feature_lists.feature_list[_FRAMES].feature
    for index, feature in enumerate(features):
        values = feature.bytes_list.value
        if len(values) > 1:
            return (
                f"all its frames are packed into one Feature ({len(values)} values in Feature "
                f"{index} of {_FRAMES!r}); write one Feature per frame: "
                "FeatureList(feature=[Feature(bytes_list=BytesList(value=[jpeg])) "
                "for jpeg in frames])"
            )
        if not values:
            kind = feature.WhichOneof("kind") or "nothing"
            return f"Feature {index} of {_FRAMES!r} holds {kind}; each must hold one JPEG as bytes"
        if not values[0].startswith(_JPEG_MAGIC):
            return _diagnose_encoding(values[0], index=index)
    return None


def _diagnose_encoding(frame: bytes, *, index: int) -> str:
    named = [name for magic, name in _OTHER_MAGICS.items() if frame.startswith(magic)]
    found = named[0] if named else f"{len(frame)} bytes that start with {frame[:4]!r}"
    return f"frame {index} is not JPEG but {found}; encode each frame as an RGB JPEG"


def _diagnose_context(serialized: bytes) -> str | None:
    try:
        parse_example(tf.constant(serialized))
    except tf.errors.InvalidArgumentError as error:
        return f"a feature has another type or length than expected: {error.message}"
    return None
