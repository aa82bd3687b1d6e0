# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Person boxes out of a csv file: whose they are, and what becomes of rows that are none."""

import pytest

from official_cvrl import errors
from official_cvrl.serving import person_boxes

_HEADER = "video,second,x1,y1,x2,y2,person\n"


def _read(tmp_path, text):
    path = tmp_path / "boxes.csv"
    path.write_text(text, encoding="utf-8")
    return person_boxes.read(str(path))


def test_persons_by_film_and_second(tmp_path):
    text = "a,2,0.25,0,0.5,1,7\na,1.5,0,0,1,0.5,\nb.mp4,0,0,0,1,1,\na,2,0,0,1,0.5,\na,9,,,,,\n"
    found = _read(tmp_path, _HEADER + text)
    half = person_boxes.Person((0.0, 0.0, 0.5, 1.0))
    assert found.films == {
        "a": {1.5: (half,), 2.0: (person_boxes.Person((0.0, 0.25, 1.0, 0.5), 7), half), 9.0: ()},
        "b.mp4": {0.0: (person_boxes.WHOLE_FRAME,)},
    }
    assert list(found.films["a"]) == [1.5, 2.0, 9.0]
    assert found.refused == ()


def test_the_file_of_a_data_set_may_be_given(tmp_path):
    found = _read(tmp_path, "video,second,x1,y1,x2,y2,label,split\na,1,0,0,1,1,run|jump,test\n")
    assert found.films == {"a": {1.0: (person_boxes.WHOLE_FRAME,)}}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a,1,0.5,0,1.5,1,", "outside the frame"),
        ("a,1,-0.1,0,0.5,1,", "outside the frame"),
        ("a,1,0.5,0,0.5,1,", "no area"),
        ("a,1,0.5,,1,1,", "y1 '' is not a number"),
        ("a,nan,0,0,1,1,", "second 'nan' is not a number"),
        ("a,-1,0,0,1,1,", "before the video begins"),
        (",1,0,0,1,1,", "names no video"),
        ("a,1,0,0,1,1,x", "person 'x' is not a number"),
        ("a,0,0,0,1,1,", "repeats an earlier row"),
        ("a", "second '' is not a number"),
        ("a,1,0,0,1,1,,8", "has cells beyond the 7 columns: 8"),
    ],
)
def test_rows_that_are_no_boxes_are_named(tmp_path, row, reason):
    found = _read(tmp_path, f"{_HEADER}a,0,0,0,1,1,\n{row}\n")
    assert found.films == {"a": {0.0: (person_boxes.WHOLE_FRAME,)}}
    (refused,) = found.refused
    assert f"boxes.csv row 3 ({row})" in refused
    assert reason in refused


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the first line is ''"),
        ("video,second\n", "the first line is 'video,second'. --boxes must be a csv"),
        (f"{_HEADER.strip()},colour\n", "the first line is"),
        (f"{_HEADER.strip()},x1\n", "the first line is"),
        (_HEADER, "holds no box that can be used"),
        (f"{_HEADER}a,1,0,0,0,0,\n", "The first: .* no area"),
    ],
)
def test_a_file_of_another_kind(tmp_path, text, words):
    with pytest.raises(errors.UserError, match=words):
        _read(tmp_path, text)


def test_films_are_meant_by_path_or_its_end(tmp_path):
    names = ("film", "a/other.mp4", "/far/v1.2.mkv", "third.avi", "gone", "lm")
    rows = "".join(f"{name},{second},0,0,1,1,\n" for second, name in enumerate(names))
    found = _read(tmp_path, f"{_HEADER}{rows}x/film.mp4,9,0,0,1,1,\ngone,9,0,0,1,1,\n")
    paths = ("x/film.mp4", "b/a/other.mp4", "/far/v1.2.mkv", "third.avi")
    mine = found.of(paths)
    assert {path: list(seconds) for path, seconds in mine.films.items()} == {
        "x/film.mp4": [0, 9],
        "b/a/other.mp4": [1],
        "/far/v1.2.mkv": [2],
        "third.avi": [3],
    }
    assert mine.others == {"gone": 2, "lm": 1}
    assert mine.repeated == ()
    with pytest.raises(errors.UserError, match=r"'film' of --boxes means x/film\.mp4 and y/film"):
        found.of(("x/film.mp4", "y/film.mp4"))


def test_two_names_of_a_film_are_one_film(tmp_path):
    rows = "a,3,0,0,1,0.5,\na,1,0,0,0.5,1,7\na.mp4,1,0,0,1,1,\na.mp4,1,0,0,0.5,1,7\na.mp4,2,,,,,\n"
    mine = _read(tmp_path, _HEADER + rows).of(("x/a.mp4",))
    left = person_boxes.Person((0.0, 0.0, 1.0, 0.5), 7)
    assert list(mine.films["x/a.mp4"].items()) == [
        (1.0, (left, person_boxes.WHOLE_FRAME)),
        (2.0, ()),
        (3.0, (person_boxes.Person((0.0, 0.0, 0.5, 1.0)),)),
    ]
    assert mine.repeated == ("a.mp4 at 1 s: 0,0,0.5,1, person 7",)
