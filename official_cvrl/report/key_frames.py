# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Key frames of a detection run: what its detector says of them, and how training shows them."""

import dataclasses
import io
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf
from PIL import Image

from official_cvrl import errors, manifest, records
from official_cvrl.data import detection, faults
from official_cvrl.report import augmentations, pictures, runs
from official_cvrl.tasks import detector as detector_lib

_SHOWN, _AUGMENTED, _DRAWS = 8, 2, 3
_LABELS_SAID = 3
_CANDIDATES = 8  # So many records are looked at for each that is shown.
_LONGEST_SIDE = 480


@dataclasses.dataclass(frozen=True)
class Person:
    """A box of a key frame.

    Attributes:
        corners: ymin, xmin, ymax, xmax in [0, 1] of the picture.
        number: from 1, the same wherever the same box is shown.
        labels: what the person does; empty if nobody said it.
        said: the likeliest labels with their scores in [0, 1]; empty if it was not asked.
        counts: False for a box that training passes over.
    """

    corners: tuple[float, float, float, float]
    number: int
    labels: tuple[str, ...]
    said: tuple[tuple[str, float], ...] = ()
    counts: bool = True


@dataclasses.dataclass(frozen=True)
class KeyFrame:
    """A key frame as it is shown.

    Attributes:
        name: of its record.
        jpeg: the picture.
        size: its width and height.
        persons: who is in it.
    """

    name: str
    jpeg: bytes
    size: tuple[int, int]
    persons: Sequence[Person]


def tested(run: runs.Run) -> Sequence[KeyFrame]:
    """Returns some key frames of the test split, with what the run's detector says of them.

    They are spread over the split, whatever comes out for them.

    Args:
        run: a detection run.

    Raises:
        UserError: the run has no checkpoint, or its records are gone or broken.
    """
    found = detector_lib.Detector(run.model_dir)
    split = run.settings.value("experiment.run.test_split", "test")
    with _told(run.info.data_dir):
        return [
            _tested(serialized, found) for serialized in _some(run.info.data_dir, split, _SHOWN)
        ]


def augmented(run: runs.Run) -> Sequence[tuple[KeyFrame, Sequence[KeyFrame]]]:
    """Returns key frames of the training split, each with some of its crops of training.

    Args:
        run: a detection run.

    Raises:
        UserError: the records are gone or broken, or the run's settings do not say how it crops.
    """
    data_dir, shown = run.info.data_dir, _training(run)
    seed = run.settings.value("experiment.run.seed", 0)
    split = run.settings.value("experiment.run.train_split", "train")
    names = tuple(run.info.label_names)
    with _told(data_dir):
        return [
            (
                _original(records.decode_example(serialized), names),
                [_crop(serialized, draw, names, shown, seed=seed) for draw in range(_DRAWS)],
            )
            for serialized in _some(data_dir, split, _AUGMENTED)
        ]


class _told:
    """Tells what is wrong with records as their user reads it."""

    def __init__(self, data_dir):
        self._data_dir = data_dir

    def __enter__(self):
        return self

    def __exit__(self, unused_kind, error, unused_place):
        if isinstance(error, (tf.errors.OpError, ValueError, OSError)):
            reason = faults.told(getattr(error, "message", str(error)))
            raise errors.UserError(f"{self._data_dir} cannot be read: {reason}") from error


def _some(data_dir, split, count) -> Sequence[bytes]:
    """Returns records whose key frame has boxes, out of as many shards as possible."""
    shards = manifest.find_shards(data_dir, split)
    most = count * _CANDIDATES
    places = pictures.spread(len(shards.paths), most)
    paths = [shards.paths[place] for place in places]
    dataset = tf.data.Dataset.from_tensor_slices(paths).interleave(
        lambda path: tf.data.TFRecordDataset(path, compression_type=shards.compression),
        cycle_length=len(paths),
    )
    inhabited = [
        serialized
        for serialized in dataset.take(most).as_numpy_iterator()
        if _persons(records.decode_example(serialized))
    ]
    return [inhabited[place] for place in pictures.spread(len(inhabited), count)]


def _persons(example):
    return example.key_frame.boxes if example.key_frame else ()


def _tested(serialized, found) -> KeyFrame:
    shown = found.tested.example(tf.constant(serialized), label_names=found.label_names)
    original = _original(records.decode_example(serialized), found.label_names)
    scores = found.scores(shown["clips"].numpy(), shown["canvas_boxes"].numpy())
    asked = shown["is_tested"].numpy() > 0
    persons = [
        dataclasses.replace(person, said=tuple(_likeliest(row, found.label_names)))
        if is_asked
        else person
        for person, row, is_asked in zip(original.persons, scores, asked, strict=False)
    ]
    return dataclasses.replace(original, persons=persons)


def _likeliest(scores, names) -> Iterator[tuple[str, float]]:
    for label in np.argsort(-scores, kind="stable")[:_LABELS_SAID]:
        yield names[label], float(scores[label])


def _original(example, names) -> KeyFrame:
    picture = Image.open(io.BytesIO(example.frames[example.key_frame.frame_index]))
    persons = [
        Person(
            (box.ymin, box.xmin, box.ymax, box.xmax),
            number,
            tuple(names[label] for label in box.labels if label < len(names)),
        )
        for number, box in enumerate(_persons(example), start=1)
    ]
    return _key_frame(example.example_id, picture.convert("RGB"), persons)


def _crop(serialized, draw, names, shown, *, seed) -> KeyFrame:
    """One draw of training, the one of epoch `draw`."""
    seen = shown.example(tf.constant(serialized), draw, label_names=names, seed=seed)
    example = records.decode_example(serialized)
    clip = seen["clips"].numpy()
    persons = [
        Person(
            tuple(seen["boxes"][row].numpy().tolist()),
            row + 1,
            tuple(names[label] for label in np.flatnonzero(seen["labels"][row].numpy())),
            counts=bool(seen["box_weight"][row] > 0),
        )
        for row in range(len(_persons(example)))
    ]
    picture = Image.fromarray(clip[len(clip) // 2])
    return _key_frame(f"{example.example_id}, epoch {draw}", picture, persons)


def _key_frame(name, picture, persons):
    picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.LANCZOS)
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=90, subsampling=0)
    return KeyFrame(name, encoded.getvalue(), picture.size, persons)


def _training(run) -> detection.TrainInput:
    """How the run's settings say that it showed key frames; what they leave out has its default."""
    names = {field.name for field in dataclasses.fields(detection.TrainInput)} - {"augmentation"}
    told = {name: run.settings.value(f"detection.TrainInput.{name}") for name in names}
    values = {name: value for name, value in told.items() if value is not None}
    try:
        augmentation = augmentations.read(run.settings, "detection.TrainInput.augmentation")
        return detection.TrainInput(augmentation=augmentation, **values)
    except (TypeError, ValueError) as error:
        raise errors.UserError(
            f"{run.model_dir}/config.gin does not say how the run crops: {error}"
        ) from error
