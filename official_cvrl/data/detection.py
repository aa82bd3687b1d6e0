# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Shards with person boxes to batches: a clip around each key frame, and who is in it.

Batches have static shapes: the boxes of a key frame are padded to `max_boxes`, and masks tell which
are there. In records, labelled boxes are ground truth, boxes without labels are a detector's.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from official_cvrl import manifest, regions
from official_cvrl.data import (
    augment,
    boxes,
    clip_format,
    decode,
    example_ids,
    faults,
    order,
    pipeline,
    seeds,
    spatial,
)

BOXES_FROM = ("ground_truth", "detector")
# From this overlap on a detected box does what the person of the ground truth does.
_SAME_PERSON = 0.9
_ONE_HOST = tf.distribute.InputContext()


@dataclasses.dataclass(frozen=True)
class TrainInput:
    """How training shows key frames: a random crop of each one's clip.

    The labelled boxes count, and detected boxes that overlap one by an IoU of 0.9 or more, with its
    labels. Of a box that the crop cuts, the visible part is taken.

    Attributes:
        num_frames: of a clip.
        temporal_stride: video frames from one frame of a clip to the next.
        crop_size: height and width of a clip.
        augmentation: crop and flip.
        max_boxes: of a key frame; a record with more is refused.
        box_jitter: by up to which share of a box's size each edge moves, in [0, 0.5).
        min_score: least score of a detected box.
        least_visible: boxes of which the crop shows less than this share do not count.

    Raises:
        ValueError: a number out of its range, or RandAugment, which boxes do not follow.
    """

    num_frames: int
    temporal_stride: int
    crop_size: int
    augmentation: augment.Augmentation
    max_boxes: int
    box_jitter: float = 0.0
    min_score: float = 0.9
    least_visible: float = 0.25

    def __post_init__(self):
        for name in ("num_frames", "temporal_stride", "crop_size", "max_boxes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1.")
        if self.augmentation.rand_augment_operations:
            raise ValueError("augmentation must be without RandAugment, which boxes do not follow.")
        if not 0 <= self.box_jitter < 0.5:
            raise ValueError(f"box_jitter={self.box_jitter} must be at least 0 and below 0.5.")
        if not self.min_score >= 0:
            raise ValueError(f"min_score={self.min_score} must be at least 0.")
        if not 0 <= self.least_visible <= 1:
            raise ValueError(f"least_visible={self.least_visible} must be at least 0, at most 1.")

    def __call__(
        self,
        shards: manifest.ShardSet,
        *,
        global_batch_size: int,
        seed: int,
        start_step: int = 0,
        read_epochs: Callable[..., tf.data.Dataset] = order.shuffled_epochs,
        input_context: tf.distribute.InputContext = _ONE_HOST,
    ) -> tf.data.Dataset:
        """Makes batches, epoch after epoch.

        Args:
            shards: what to read.
            global_batch_size: clips of a batch over all replicas and hosts.
            seed: of the order and of all draws.
            start_step: batches that were read before; the stream goes on behind them.
            read_epochs: in which order, see `order.shuffled_epochs` and `order.dealt_epochs`.
            input_context: which host reads which part, and how large its batches are.

        Returns:
            Batches of one replica: "clips" uint8 [batch, num_frames, crop_size, crop_size, 3],
            "boxes" float32 [batch, max_boxes, 4] in [0, 1], "labels" float32 [batch, max_boxes,
            num_classes] of zeros and ones, "box_weight" float32 [batch, max_boxes], 0.0 for boxes
            that do not count, "dropout_seeds" int32 [batch, 2] for the head, "example_key" int64
            [batch].

        Raises:
            UserError: a batch is larger than the data set.
        """

        def example(serialized, epoch):
            return self.example(serialized, epoch, label_names=shards.label_names, seed=seed)

        return pipeline.shuffled_batches(
            shards,
            example,
            global_batch_size=global_batch_size,
            seed=seed,
            start_step=start_step,
            read_epochs=read_epochs,
            input_context=input_context,
        )

    def example(
        self,
        serialized: tf.Tensor,
        epoch: tf.Tensor | int,
        *,
        label_names: Sequence[str],
        seed: int,
    ) -> Mapping[str, tf.Tensor]:
        """Returns what the batches have of one record in one epoch.

        Args:
            serialized: string [], a record.
            epoch: counted from 0.
            label_names: the classes' names, by label.
            seed: of all draws.
        """
        record = pipeline.parse(serialized)
        persons = _persons(serialized, record, label_names, max_boxes=self.max_boxes)
        drawn = seeds.example_seeds(seed, example_key=record["example_key"], epoch=epoch, count=3)
        encoded = _clip(record, persons, self.num_frames, self.temporal_stride)
        size = decode.frame_size(encoded[0])
        draws = spatial.draw(size, seed=drawn[0], augmentation=self.augmentation)
        moved = boxes.jittered(
            boxes.cropped(persons["boxes"], draws, size=size), amount=self.box_jitter, seed=drawn[1]
        )
        visible = boxes.clipped(moved)
        shown = boxes.area(visible) >= self.least_visible * boxes.area(moved)
        labels, counts = _with_labels(persons, min_score=self.min_score)
        return {
            "clips": spatial.apply(encoded, draws, crop_size=self.crop_size),
            "boxes": visible,
            "labels": labels,
            "box_weight": tf.cast(counts & shown & (boxes.area(visible) > 0), tf.float32),
            "dropout_seeds": drawn[2],
            "example_key": record["example_key"],
        }


@dataclasses.dataclass(frozen=True)
class TestInput:
    """How key frames are tested: whole frames, resized to fit into a canvas.

    Attributes:
        clip: how many frames, how far apart; `min_resize` is the canvas's height.
        longest_side: the canvas's width.
        boxes_from: "ground_truth" tests the labelled boxes, "detector" those without labels.
        min_score: least score of a detector's box.
        max_boxes: of a key frame, ground truth and detections together; a record with more is
            refused.
        global_batch_size: clips that are tested at once, over all replicas; as many more as it
            takes to give each replica the same number.

    Raises:
        ValueError: a number is not positive, or `boxes_from` is unknown.
    """

    clip: clip_format.ClipFormat
    longest_side: int
    boxes_from: str
    max_boxes: int
    global_batch_size: int
    min_score: float = 0.8

    def __post_init__(self):
        for name in ("longest_side", "max_boxes", "global_batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1.")
        if self.boxes_from not in BOXES_FROM:
            raise ValueError(
                f"boxes_from={self.boxes_from!r} must be one of {', '.join(BOXES_FROM)}."
            )

    @property
    def settings(self) -> Mapping[str, Any]:
        """All but `clip` and `global_batch_size`, as plain values by name."""
        others = dataclasses.asdict(self)
        return {name: others[name] for name in others if name not in ("clip", "global_batch_size")}

    def batches(
        self, shards: manifest.ShardSet, *, input_context: tf.distribute.InputContext = _ONE_HOST
    ) -> tf.data.Dataset:
        """Returns every key frame once, in order.

        Returns:
            Batches of one replica: "clips" uint8 [batch, num_frames, min_resize, longest_side, 3],
            "canvas_boxes" float32 [batch, max_boxes, 4], where the boxes are on the canvas; "boxes"
            likewise, in the frame; "labels" float32 [batch, max_boxes, num_classes], "is_tested"
            and "is_truth" float32 [batch, max_boxes], "example_id" int32 [batch, 512], bytes
            that zeros end, "weight" float32 [batch], 0.0 where a row is padding.

        A record whose name is longer is refused.
        """
        replicas = input_context.num_replicas_in_sync

        def example(serialized):
            return self.example(serialized, label_names=shards.label_names) | {"weight": 1.0}

        return pipeline.batches_once(
            shards,
            example,
            global_batch_size=-(-self.global_batch_size // replicas) * replicas,
            input_context=input_context,
        )

    def example(
        self, serialized: tf.Tensor, *, label_names: Sequence[str]
    ) -> Mapping[str, tf.Tensor]:
        """Returns what `batches` has of one record, without "weight".

        Args:
            serialized: string [], a record.
            label_names: the classes' names, by label.
        """
        record = pipeline.parse(serialized)
        persons = _persons(serialized, record, label_names, max_boxes=self.max_boxes)
        encoded = _clip(record, persons, self.clip.num_frames, self.clip.temporal_stride)
        clip, filled = spatial.decode_fitted(
            encoded, height=self.clip.min_resize, width=self.longest_side
        )
        is_truth = persons["is_labelled"]
        detected = persons["is_there"] & ~is_truth & (persons["scores"] >= self.min_score)
        tested = is_truth if self.boxes_from == "ground_truth" else detected
        return {
            "clips": clip,
            "canvas_boxes": persons["boxes"] * tf.tile(filled, [2]),
            "boxes": persons["boxes"],
            "labels": persons["labels"],
            "is_tested": tf.cast(tested, tf.float32),
            "is_truth": tf.cast(is_truth, tf.float32),
            "example_id": _as_numbers(record["example_id"]),
        }


def _as_numbers(example_id):
    """A film is found again by its name, so none is cut."""
    whole = faults.require(
        tf.strings.length(example_id) <= example_ids.MAX_BYTES,
        example_id,
        example_id=tf.strings.join([tf.strings.substr(example_id, 0, 40), "…"]),
        fault=f"has a name of more than {example_ids.MAX_BYTES} bytes; give it a shorter one",
        unfit=True,
    )
    return example_ids.to_numbers(whole)


def key_clip_frames(
    num_video_frames: tf.Tensor | int,
    *,
    key_frame_index: tf.Tensor | int,
    num_frames: int,
    temporal_stride: int,
) -> tf.Tensor:
    """Returns the frames of a clip with the key frame in its middle, int32 [num_frames].

    Of an even number it is the first of the second half. Beyond the video's ends its outermost
    frames stand still.
    """
    steps = (tf.range(num_frames) - num_frames // 2) * temporal_stride
    indices = tf.cast(key_frame_index, tf.int32) + steps
    return tf.clip_by_value(indices, 0, tf.cast(num_video_frames, tf.int32) - 1)


def _clip(record, persons, num_frames, temporal_stride):
    indices = key_clip_frames(
        tf.size(record["frames"]),
        key_frame_index=persons["key_frame_index"],
        num_frames=num_frames,
        temporal_stride=temporal_stride,
    )
    return pipeline.frames_of(record, indices)


def _persons(serialized, record, label_names, *, max_boxes):
    """Who is in the key frame, in tables of `max_boxes` rows; refuses a record that has none."""
    num_classes = len(label_names)
    found = _unfaulty(regions.parse_boxes(serialized), record, num_classes, max_boxes)
    count = tf.shape(found["boxes"])[0]
    rest = max_boxes - count
    per_label = tf.one_hot(found["labels"], num_classes)
    labels = tf.math.unsorted_segment_sum(per_label, found["label_boxes"], max_boxes)
    return {
        "key_frame_index": found["key_frame_index"],
        "boxes": tf.ensure_shape(tf.pad(found["boxes"], [[0, rest], [0, 0]]), [max_boxes, 4]),
        "scores": tf.ensure_shape(tf.pad(found["scores"], [[0, rest]]), [max_boxes]),
        "is_there": tf.range(max_boxes) < count,
        "labels": tf.minimum(labels, 1.0),
        "is_labelled": tf.reduce_any(labels > 0, axis=1),
    }


def _unfaulty(found, record, num_classes, max_boxes):
    no_boxes = "has no key frame; convert with --dataset=boxes or ava (docs/detection.md)"
    too_many = f"has more than max_boxes={max_boxes} boxes; raise max_boxes"
    faulty = {
        no_boxes: found["key_frame_index"] < 0,
        too_many: tf.shape(found["boxes"])[0] > max_boxes,
        f"has a label beyond the {num_classes} of labels.txt": tf.reduce_any(
            found["labels"] >= num_classes
        ),
    }
    looked_at = [
        faults.require(
            *(~is_faulty, is_faulty),
            example_id=record["example_id"],
            fault=fault,
            unfit=fault in (no_boxes, too_many),
        )
        for fault, is_faulty in faulty.items()
    ]
    with tf.control_dependencies(looked_at):
        return {name: tf.identity(values) for name, values in found.items()}


def _with_labels(persons, *, min_score):
    """Returns the labels of all boxes, and which count: detections have those of their person."""
    truth = persons["is_labelled"]
    overlaps = boxes.overlaps(persons["boxes"], persons["boxes"]) * tf.cast(truth, tf.float32)
    labels = tf.gather(persons["labels"], tf.argmax(overlaps, axis=1))
    is_same = tf.reduce_max(overlaps, axis=1) >= _SAME_PERSON
    detected = persons["is_there"] & ~truth & is_same & (persons["scores"] >= min_score)
    return tf.where(detected[:, tf.newaxis], labels, persons["labels"]), truth | detected
