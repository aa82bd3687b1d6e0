# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Rows of a csv file of boxes with a header: where in which second of which video."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence

from official_cvrl import ava_files, errors
from tfrecords_tools.datasets import ava_tables, files

COLUMNS = ("video", "second", "x1", "y1", "x2", "y2")


@dataclasses.dataclass(frozen=True)
class Row:
    """A row after the header.

    Attributes:
      number: of the row in its file; the header is 1.
      cells: as they stand there.
      columns: the cells by column; "" where the row ends before.
    """

    number: int
    cells: Sequence[str]
    columns: Mapping[str, str]

    @property
    def told(self) -> str:
        """Names the row to its user."""
        return f"row {self.number} ({','.join(self.cells)})"

    def key_time(self) -> ava_files.KeyTime:
        """Returns the video and the second.

        Raises:
          ValueError: the row names none, or has more cells than there are columns.
        """
        lost = [cell for cell in self.cells[len(self.columns) :] if cell]
        if lost:
            raise ValueError(f"has cells beyond the {len(self.columns)} columns: {','.join(lost)}")
        if not self.columns["video"]:
            raise ValueError("names no video")
        second = ava_files.number(self.columns["second"], "second")
        if second < 0:
            raise ValueError(f"second {self.columns['second']} is before the video begins")
        return self.columns["video"], second

    def corners(self) -> tuple[float, float, float, float] | None:
        """Returns ymin, xmin, ymax, xmax in [0, 1]; None without corners.

        Raises:
          ValueError: they make no box within the frame.
        """
        cells = [self.columns[name] for name in COLUMNS[2:]]
        return ava_tables.corners(cells) if any(cells) else None

    def person(self) -> int | None:
        """Returns the person's number, None if there is none; ValueError if it is no number."""
        text = self.columns.get("person")
        return ava_tables.whole(text, "person") if text else None


def read(
    path: str | os.PathLike[str], *, needed: Sequence[str], optional: Sequence[str], needs: str
) -> list[Row]:
    """Returns the rows after the header.

    Args:
      path: the csv file.
      needed: columns that must be there, besides `COLUMNS`.
      optional: columns that may be there.
      needs: for the error, what the file should be.

    Raises:
      UserError: the file cannot be read, or its header lacks a column, has another, or one twice.
    """
    header, *rows = files.rows(pathlib.Path(path), needs=needs) or [[]]
    wanted = {*COLUMNS, *needed}
    if not wanted <= set(header) <= wanted | {*optional} or len(set(header)) < len(header):
        raise errors.UserError(f"{path}: the first line is {','.join(header)!r}. {needs}")
    return [
        Row(number, cells, dict(zip(header, cells + [""] * len(header), strict=False)))
        for number, cells in enumerate(rows, start=2)
    ]
