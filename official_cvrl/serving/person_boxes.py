# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A csv file of person boxes: who is where, at which second of which film."""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence

from official_cvrl import errors
from tfrecords_tools.datasets import box_rows

_NEEDS = f"--boxes must be a csv file whose first line is {','.join(box_rows.COLUMNS)}[,person]."


@dataclasses.dataclass(frozen=True)
class Person:
    """A box at a key second.

    Attributes:
        corners: ymin, xmin, ymax, xmax in [0, 1] of the frame's height and width.
        number: the person's, if the file tells it.
    """

    corners: tuple[float, float, float, float]
    number: int | None = None

    def __str__(self):
        ymin, xmin, ymax, xmax = self.corners
        number = "" if self.number is None else f", person {self.number}"
        return f"{xmin:g},{ymin:g},{xmax:g},{ymax:g}{number}"


WHOLE_FRAME = Person((0.0, 0.0, 1.0, 1.0))

KeySeconds = Mapping[float, Sequence[Person]]


@dataclasses.dataclass(frozen=True)
class OfFilms:
    """What a file says of some films.

    Attributes:
        films: by path, the key seconds in order; no entry for a film that has none.
        others: names of other films, with the number of their boxes.
        repeated: boxes that a film has at a second under several of its names.
    """

    films: Mapping[str, KeySeconds]
    others: Mapping[str, int]
    repeated: Sequence[str]


@dataclasses.dataclass(frozen=True)
class Boxes:
    """What a file says.

    Attributes:
        films: by the name that the file has for them; no one where a row names a second alone.
        refused: rows that are no boxes, each with its number and the reason.
    """

    films: Mapping[str, KeySeconds]
    refused: Sequence[str]

    def of(self, paths: Sequence[str]) -> OfFilms:
        """Returns what is said of some films, by path.

        A row names a film by its path, or the end of it, with or without suffix.

        Raises:
            UserError: a name means several films.
        """
        gathered: dict[str, _Gathered] = collections.defaultdict(dict)
        others, repeated = {}, []
        for name, seconds in self.films.items():
            meant = [path for path in paths if _is_called(path, name)]
            if len(meant) > 1:
                raise errors.UserError(
                    f"{name!r} of --boxes means {' and '.join(meant)}; give more of the path, or "
                    "one of them at a time."
                )
            if not meant:
                others[name] = sum(map(len, seconds.values()))
            for path in meant:
                again = _add(gathered[path], seconds)
                repeated += [f"{name} at {second:g} s: {person}" for second, person in again]
        films = {path: _in_order(seconds) for path, seconds in gathered.items()}
        return OfFilms(films, others, tuple(repeated))


# Second → persons, each once, in order.
_Gathered = dict[float, dict[Person, None]]


def _add(gathered, seconds):
    """Adds key seconds to others of the same film; returns persons that were there already."""
    again = []
    for second, persons in seconds.items():
        there = gathered.setdefault(second, {})
        again += [(second, person) for person in persons if person in there]
        there.update(dict.fromkeys(persons))
    return again


def _in_order(gathered) -> KeySeconds:
    return {second: tuple(persons) for second, persons in sorted(gathered.items())}


def _is_called(path, name):
    whole, wanted = pathlib.PurePath(os.path.abspath(path)), pathlib.PurePath(name).parts
    return any(
        parts.parts[-len(wanted) :] == wanted for parts in (whole, whole.with_suffix("")) if wanted
    )


def read(path: str) -> Boxes:
    """Reads a csv file with a header: `video,second,x1,y1,x2,y2[,person]`, corners in [0, 1].

    Columns `label` and `split`, as `convert --dataset=boxes` reads them, are passed over.

    Raises:
        UserError: the file cannot be read, has another header, or no row that can be used.
    """
    gathered: dict[str, _Gathered] = collections.defaultdict(dict)
    refused = []
    optional = ("person", "label", "split")
    for row in box_rows.read(path, needed=(), optional=optional, needs=_NEEDS):
        try:
            _take(row, gathered)
        except ValueError as error:
            refused.append(f"{path} {row.told}: {error}")
    if not gathered:
        first = f" The first: {refused[0]}." if refused else ""
        raise errors.UserError(f"{path}: holds no box that can be used.{first} {_NEEDS}")
    films = {film: _in_order(seconds) for film, seconds in gathered.items()}
    return Boxes(films, tuple(refused))


def _take(row, gathered):
    (film, second), corners, number = row.key_time(), row.corners(), row.person()
    persons = gathered[film].setdefault(second, {})
    if corners is None:
        return
    person = Person(corners, number)
    if person in persons:
        raise ValueError("repeats an earlier row")
    persons[person] = None
