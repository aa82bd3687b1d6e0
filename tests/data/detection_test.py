# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Clips around key frames: boxes stay on their actors, whoever counts counts, the rest is told."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from official_cvrl import manifest, records, regions
from official_cvrl.data import augment, clip_format, detection, seeds, spatial
from official_cvrl.data import boxes as boxes_lib

_HEIGHT, _WIDTH, _NUM_FRAMES, _KEY = 48, 80, 9, 4
_LABELS = ("red", "green", "blue")
_BLACK, _BOX = (
    np.zeros([_HEIGHT, _WIDTH, 3], np.uint8),
    regions.Box(0.2, 0.3, 0.6, 0.5, labels=(0,)),
)
_CROPS = augment.Augmentation(area_range=(0.4, 1.0), aspect_range=(0.7, 1.4))

_WHOLE = augment.Augmentation(area_range=(1.0, 1.0), aspect_range=(_WIDTH / _HEIGHT,) * 2)


def _painted(generator):
    """A grey frame with a red and a green box, and the boxes; they do not touch."""
    frame = np.full([_HEIGHT, _WIDTH, 3], 128, np.uint8)
    boxes = []
    for label in range(2):
        height, width = generator.integers(16, 28, 2)
        top = generator.integers(0, _HEIGHT - height)
        left = 40 * label + generator.integers(0, 40 - width)
        frame[top : top + height, left : left + width] = np.eye(3)[label] * 255
        corners = np.array([top, left, top + height, left + width]) / ([_HEIGHT, _WIDTH] * 2)
        boxes.append(regions.Box(*corners.tolist(), labels=(label,)))
    return frame, boxes


def _jpeg(frame):
    return cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes()


def _record(name, frame, boxes):
    return records.encode_example(
        [_jpeg(frame)] * _NUM_FRAMES,
        height=_HEIGHT,
        width=_WIDTH,
        frame_rate=10.0,
        timestamps_us=range(_NUM_FRAMES),
        example_id=f"{name}@902",
        key_frame=None if boxes is None else regions.KeyFrame(_KEY, tuple(boxes)),
    )


def _shards(folder, *examples, film="film{}"):
    path = folder / manifest.shard_name("train", index=0, num_shards=1)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number, (frame, boxes) in enumerate(examples):
            writer.write(_record(film.format(number), frame, boxes))
    (folder / "labels.txt").write_text("\n".join(_LABELS) + "\n")
    return manifest.find_shards(folder, "train")


def _train(shards, **changes):
    settings = {
        "num_frames": 3,
        "temporal_stride": 1,
        "crop_size": 40,
        "augmentation": _CROPS,
        "max_boxes": 5,
    }
    return detection.TrainInput(**settings | changes)(shards, global_batch_size=1, seed=0)


def _tested(shards, **changes):
    settings = {
        "clip": clip_format.ClipFormat(
            num_frames=3, temporal_stride=1, min_resize=24, crop_size=24
        ),
        "longest_side": 48,
        "boxes_from": "ground_truth",
        "max_boxes": 5,
        "global_batch_size": 2,
    }
    return detection.TestInput(**settings | changes).batches(shards)


def _share_of_color(frame, box, label):
    """How much of a box's inside is painted its colour, and how much of that colour is inside."""
    height, width = frame.shape[:2]
    top, left, bottom, right = box * [height, width, height, width]
    rows, columns = np.mgrid[:height, :width] + 0.5
    inside = (rows > top) & (rows < bottom) & (columns > left) & (columns < right)
    others = frame[..., (label + 1) % 3].astype(int), frame[..., (label + 2) % 3].astype(int)
    painted = frame[..., label] - np.maximum(*others) > 100
    return (painted & inside).sum() / max(inside.sum(), 1), (painted & inside).sum() / max(
        painted.sum(), 1
    )


def test_boxes_stay_on_their_actors_through_crop_and_flip(tmp_path):
    generator = np.random.default_rng(0)
    shards = _shards(tmp_path, *(_painted(generator) for _ in range(20)))
    flipped = seen = 0
    for batch in _train(shards).take(60):
        frame, boxes = batch["clips"][0, 1].numpy(), batch["boxes"][0].numpy()
        counts = batch["box_weight"][0].numpy() > 0
        assert counts[2:].sum() == 0
        for label in np.flatnonzero(counts):
            np.testing.assert_array_equal(batch["labels"][0, label], np.eye(3)[label])
            share_of_box, share_of_color = _share_of_color(frame, boxes[label], label)
            assert min(share_of_box, share_of_color) > 0.75, (boxes[label], share_of_box)
            seen += 1
        if counts[:2].all():
            flipped += boxes[0, 1] > boxes[1, 1]
    assert seen > 80
    assert 10 < flipped < 40


def test_boxes_stay_on_their_actors_on_the_canvas_of_the_test(tmp_path):
    generator = np.random.default_rng(1)
    shards = _shards(tmp_path, *(_painted(generator) for _ in range(3)))
    names = []
    for batch in _tested(shards, longest_side=60):
        for row in np.flatnonzero(batch["weight"].numpy()):
            name = (
                batch["example_id"][row].numpy().astype(np.uint8).tobytes().rstrip(b"\0").decode()
            )
            names.append(name)
            frame = batch["clips"][row, 1].numpy()
            assert not frame[:, 41:].any()  # 48 by 80 becomes 24 by 40.
            for label in range(2):
                box = batch["canvas_boxes"][row, label].numpy()
                assert min(_share_of_color(frame, box, label)) > 0.75
    assert names == ["film0@902", "film1@902", "film2@902"]


def test_jitter_moves_edges_by_a_share_of_the_box(tmp_path):
    box = regions.Box(0.2, 0.3, 0.6, 0.5, labels=(0,))
    shards = _shards(tmp_path, (np.zeros([_HEIGHT, _WIDTH, 3], np.uint8), [box]))
    moved = [b["boxes"][0, 0] for b in _train(shards, box_jitter=0.1, augmentation=_WHOLE).take(40)]
    shares = np.array(moved)[:, [0, 2]] - [0.2, 0.6]  # Flips leave height alone.
    assert 0.03 < np.abs(shares).max() <= 0.1 * 0.4 + 1e-6
    assert abs(shares.mean()) < 0.01


def test_jitter_has_a_seed_of_its_own():
    record, epoch = _record("film", _BLACK, [_BOX]), 3
    train = detection.TrainInput(
        num_frames=3,
        temporal_stride=1,
        crop_size=8,
        augmentation=_WHOLE,
        max_boxes=1,
        box_jitter=0.1,
    )
    shown = train.example(tf.constant(record), epoch, label_names=_LABELS, seed=5)["boxes"]
    key = records.parse_example(record)["example_key"]
    drawn = seeds.example_seeds(5, example_key=key, epoch=epoch, count=3)
    draws = spatial.draw(tf.constant([_HEIGHT, _WIDTH]), seed=drawn[0], augmentation=_WHOLE)
    corners = tf.constant([[_BOX.ymin, _BOX.xmin, _BOX.ymax, _BOX.xmax]])
    box = boxes_lib.cropped(corners, draws, size=tf.constant([_HEIGHT, _WIDTH]))
    by_seed = [boxes_lib.jittered(box, amount=0.1, seed=seed) for seed in drawn]
    # Neither that of the crop, which comes first, nor that of dropout.
    assert [np.allclose(moved, shown, atol=1e-5) for moved in by_seed] == [False, True, False]


def test_detections_take_the_labels_of_the_person_they_fit(tmp_path):
    frame, (red, green) = _painted(np.random.default_rng(3))
    corners = (red.ymin + 1e-3, red.xmin, red.ymax, red.xmax)
    same = regions.Box(*corners, score=0.95)
    unsure = regions.Box(*corners[:3], red.xmax - 1e-3, score=0.5)
    elsewhere = regions.Box(0.0, 0.0, 1.0, 1.0, score=0.99)
    shards = _shards(tmp_path, (frame, [red, green, same, unsure, elsewhere]))
    (batch,) = _train(shards, augmentation=_WHOLE).take(1)
    assert batch["box_weight"][0].numpy().tolist() == [1, 1, 1, 0, 0]
    assert batch["labels"][0, 2].numpy().tolist() == [1, 0, 0]
    (tested,) = _tested(shards, boxes_from="detector")
    assert tested["is_tested"][0].numpy().tolist() == [0, 0, 1, 0, 1]
    assert tested["is_truth"][0].numpy().tolist() == [1, 1, 0, 0, 0]


def test_a_key_frame_without_anybody_counts_nothing(tmp_path):
    frame, _ = _painted(np.random.default_rng(4))
    (batch,) = _train(_shards(tmp_path, (frame, []))).take(1)
    assert not batch["box_weight"].numpy().any()


@pytest.mark.parametrize(
    ("boxes", "max_boxes", "words"),
    [
        (None, 5, "film0@902 is readable, but has no key frame"),
        ([0, 1], 1, "film0@902 is readable, but has more than max_boxes=1 boxes"),
        ([7], 5, "film0@902 has a label beyond the 3 of labels.txt"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path, boxes, max_boxes, words):
    if boxes is not None:
        boxes = [regions.Box(0.0, 0.1 * n, 1.0, 0.9, labels=(n,)) for n in boxes]
    shards = _shards(tmp_path, (np.zeros([_HEIGHT, _WIDTH, 3], np.uint8), boxes))
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        next(iter(_train(shards, max_boxes=max_boxes)))


def test_names_are_whole_or_refused(tmp_path):
    (folder := tmp_path / "fits").mkdir()
    film = "ä" * 127 + "a@1234.567891"
    shards = _shards(folder, (_BLACK, [_BOX]), film=film)
    (batch,) = _tested(shards).take(1)
    assert (
        batch["example_id"][0].numpy().astype(np.uint8).tobytes().rstrip(b"\0").decode()
        == f"{film}@902"
    )
    shards = _shards(tmp_path, (_BLACK, [_BOX]), film="a" * 509)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"aaa… is readable, but has a name"):
        next(iter(_tested(shards)))


def test_clips_are_centred_on_the_key_frame_and_stand_still_beyond_the_ends():
    def indices(key, count, stride):
        return (
            detection.key_clip_frames(
                10, key_frame_index=key, num_frames=count, temporal_stride=stride
            )
            .numpy()
            .tolist()
        )

    assert indices(5, 4, 2) == [1, 3, 5, 7]
    assert indices(1, 5, 1) == [0, 0, 1, 2, 3]
    assert indices(9, 3, 1) == [8, 9, 9]
    assert indices(6, 1, 3) == [6]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("crop_size", 0),
        ("max_boxes", 0),
        ("box_jitter", 0.5),
        ("min_score", -0.1),
        ("least_visible", 1.5),
    ],
)
def test_numbers_out_of_range_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name}={value} must be at least"):
        _train(None, **{name: value})
