# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Key frames on the page: who is where, what is said of whom, crops that keep boxes in place."""

import dataclasses
import io
import re

import numpy as np
import pytest
from PIL import Image

from official_cvrl import errors
from official_cvrl.data import detection
from official_cvrl.report import key_frames, persons, runs, settings
from official_cvrl.tasks import detector
from tests.report import conftest


@pytest.fixture(scope="module", name="run")
def _run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("detection")
    return runs.read(conftest.write_detection(folder))


def _inside(frame, person):
    """The median colour in the middle of a box."""
    picture = np.asarray(Image.open(io.BytesIO(frame.jpeg)), int)
    height, width = picture.shape[:2]
    ymin, xmin, ymax, xmax = person.corners
    y, x = (ymin + ymax) / 2 * height, (xmin + xmax) / 2 * width
    part = picture[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2]
    return np.median(part, axis=(0, 1))


def _is_painted(frame, person):
    """Whether a box lies on the actor that was painted for its number: red, green."""
    return np.argmax(_inside(frame, person)) == person.number - 1


def test_what_is_said_of_tested_persons(run):
    shown = key_frames.tested(run)
    assert [frame.name for frame in shown] == ["film0@1", "film1@1"]
    assert [[person.labels for person in frame.persons] for frame in shown] == [
        [("hop",), ("slide",)]
    ] * 2
    assert all(_is_painted(frame, person) for frame in shown for person in frame.persons)
    said = [person.said for frame in shown for person in frame.persons]
    assert all({name for name, _ in one} == {"hop", "slide"} for one in said)
    assert all(one[0][1] >= one[1][1] for one in said)
    found = detector.Detector(run.model_dir)
    serialized = conftest.actors(0)
    example = found.tested.example(serialized, label_names=found.label_names)
    scores = found.scores(example["clips"].numpy(), example["canvas_boxes"].numpy()[:2])
    for person, row in zip(shown[0].persons, scores, strict=True):
        assert dict(person.said) == pytest.approx({"hop": row[0], "slide": row[1]}, abs=1e-6)


def test_crops_keep_boxes_on_their_actors(run):
    flips = set()
    for original, crops in key_frames.augmented(run):
        assert len(crops) == 3
        assert all(_is_painted(original, person) for person in original.persons)
        for crop in crops:
            assert crop.size == (40, 40)
            seen = [person for person in crop.persons if person.counts]
            assert all(_is_painted(crop, person) for person in seen)
            assert [person.labels for person in crop.persons] == [("hop",), ("slide",)]
            if len(seen) == 2:
                flips.add(seen[0].corners[1] > seen[1].corners[1])
    assert flips == {True, False}


def _rectangles(markup):
    return re.findall(
        r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" [^>]*class="(\w+)"', markup
    )


def test_annotated_and_asked_boxes_are_told_apart():
    picture = io.BytesIO()
    Image.new("RGB", (64, 32)).save(picture, "JPEG")
    people = [
        key_frames.Person((0.25, 0.5, 0.75, 1.0), 1, ("hop",), (("hop", 0.9), ("sit", 0.2))),
        key_frames.Person((0.0, 0.0, 0.5, 0.25), 2, ("sit",)),
        key_frames.Person((0.0, 0.0, 0.5, 0.5), 3, (), (("sit", 0.4),)),
        key_frames.Person((0.0, 0.0, 0.5, 1.0), 4, ("sit",), counts=False),
        key_frames.Person((0.0, 1.0, 0.5, 1.0), 5, ("sit",), counts=False),
    ]
    frame = key_frames.KeyFrame("a", picture.getvalue(), (64, 32), people)
    shown = persons.tested([frame], split="val")
    assert _rectangles(shown) == [
        ("160.0", "40.0", "160.0", "truth"),
        ("160.0", "40.0", "160.0", "asked"),
        ("0.0", "0.0", "80.0", "truth"),
        ("0.0", "0.0", "160.0", "asked"),
        ("0.0", "0.0", "320.0", "passed"),
        ("320.0", "0.0", "0.0", "passed"),
    ]
    texts = re.findall(r"<text[^>]*>([^<]*)<", shown)
    assert texts == ["1 hop 90%", "2", "3 sit 40%", "4"]
    assert "said: <b>hop 90%</b>, sit 20%" in shown
    assert "not annotated<small>said: sit 40%" in shown
    assert "split val" in shown


def _augmented(run, *changed):
    """What is shown of a run with other settings."""
    changed_settings = settings.Settings(conftest.DETECTION.replace(*changed))
    return key_frames.augmented(dataclasses.replace(run, settings=changed_settings))


def test_crops_without_spatial_augmentation_are_the_middle(run):
    for original, crops in _augmented(run, "augment.Augmentation()", "augment.no_spatial()"):
        assert len({crop.jpeg for crop in crops}) == 1
        # Of 80 by 48 pixels the middle 48 by 48.
        expected = [
            [ymin, max(0, xmin * 80 - 16) / 48, ymax, min(48, xmax * 80 - 16) / 48]
            for ymin, xmin, ymax, xmax in (person.corners for person in original.persons)
        ]
        found = [person.corners for person in crops[0].persons]
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_what_settings_leave_out_is_as_in_training(run):
    names = ("box_jitter", "min_score", "least_visible")
    bound = {name: getattr(detection.TrainInput, name) for name in names}

    def shown(**bound):
        lines = [f"detection.TrainInput.{name} = {value}" for name, value in bound.items()]
        return _augmented(run, "experiment.run.seed", "\n".join([*lines, "experiment.run.seed"]))

    by_default = shown()
    assert by_default == shown(**bound)
    assert by_default != shown(box_jitter=0.3)


@pytest.mark.parametrize(
    "changed",
    [
        (conftest.DETECTION, ""),
        ("(0.4, 1.0)", "(2.0, 1.0)"),
        ("@augment.Augmentation()", "@mine.gentle()"),
        ("@augment.Augmentation()", "@mine/augment.Augmentation()"),
        ("@augment.Augmentation()", "None"),
        ("crop_size = 40", "crop_size = %SIZE"),
        ("crop_size = 40", "crop_size = 'small'"),
        ("crop_size = 40", "crop_size = 40\ndetection.TrainInput.min_score = '0.9'"),
    ],
)
def test_settings_that_do_not_say_how_it_crops(run, changed):
    with pytest.raises(errors.UserError, match=r"config\.gin does not say how"):
        _augmented(run, *changed)
