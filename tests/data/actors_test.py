# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Films of actors: boxes hold them, and they do what their labels say."""

import numpy as np
import pytest

from official_cvrl.data import actors


def _inside(frame, corners):
    left, top, right, bottom = (round(corner * 64) for corner in corners)
    return frame[top:bottom, left:right].astype(float)


@pytest.mark.parametrize("number", range(12))
def test_actors_do_in_their_boxes_what_their_labels_say(number):
    frames, boxes = actors.draw_film(seed=(7, number))
    assert len(boxes) == 3
    for corners, labels in boxes:
        insides = [_inside(frame, corners) for frame in frames]
        changes = np.array([np.abs(one - insides[16]).mean() for one in insides])
        if labels == ("still",):
            assert changes.max() < 10  # Noise and H.264 apart, nothing happens.
        else:
            assert changes.max() > 10
        assert not {"hop", "slide"} <= set(labels)


def test_the_same_seed_draws_the_same_film_and_another_another():
    films = [actors.draw_film(seed=(0, 0, number))[0] for number in (1, 1, 2)]
    np.testing.assert_array_equal(films[0], films[1])
    assert np.any(films[0] != films[2])


def test_films_are_the_same_bytes_again(tmp_path):
    for name in ("first", "second"):
        actors.write_films(str(tmp_path / name), counts={"train": 2})
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()
