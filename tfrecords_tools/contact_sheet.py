# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Draws a picture of some videos of a folder of shards: a row each, frames in order of time."""

from __future__ import annotations

import functools
import importlib.util
import io
import os
from collections.abc import Iterator, Sequence

import tensorflow as tf
from PIL import Image, ImageDraw, ImageFont

from official_cvrl import errors, manifest, outputs, records, regions

_FRAMES = 6
_CELL = (176, 132)  # Width and height of a frame's place, in pixels.
_GAP = 8
_CAPTION = 264
_MARGIN = 20
_TIME = 18
_PAPER, _INK, _FAINT, _RULE = "#ffffff", "#1b1b1f", "#6b6b76", "#e4e4ea"
_LABELLED, _UNLABELLED = "#ffd400", "#35c8ff"  # Boxes: somebody did something, or was detected.
_CANDIDATES = 4  # So many records are looked at for each row that is drawn.


def refuse_other_endings(path: str) -> None:
    """Tells before the work that a name promises something else than a PNG file.

    Raises:
      UserError: the name does not end with .png.
    """
    if os.path.splitext(path)[1].lower() != ".png":
        raise errors.UserError(
            f"--contact_sheet={path}: the picture is a PNG file; give a name that ends with .png."
        )


def draw(shard_sets: Sequence[manifest.ShardSet], path: str, *, num_videos: int = 12) -> None:
    """Draws a contact sheet with as many classes as there are rows.

    Args:
      shard_sets: the splits to draw from.
      path: the PNG file to write.
      num_videos: number of rows.

    Raises:
      UserError: the picture cannot be written, or a record cannot be read.
    """
    rows = []
    for shards in shard_sets:
        share = -(-num_videos // len(shard_sets))
        rows += [(shards, example) for example in _choose(shards, share)]
    rows = rows[:num_videos]
    row_height = _CELL[1] + _TIME + _GAP
    width = 2 * _MARGIN + _CAPTION + _FRAMES * (_CELL[0] + _GAP) - _GAP
    sheet = Image.new("RGB", (width, 2 * _MARGIN + len(rows) * row_height - _GAP), _PAPER)
    for index, (shards, example) in enumerate(rows):
        _draw_row(sheet, _MARGIN + index * row_height, example, shards)
    encoded = io.BytesIO()
    sheet.save(encoded, "PNG", optimize=True)
    with outputs.whole_file(path, setting="--contact_sheet") as file:
        file.write(encoded.getvalue())


def _choose(shards: manifest.ShardSet, count: int) -> list[records.Example]:
    """Returns some examples, each class in turn."""
    by_labels: dict[tuple[int, ...], list[records.Example]] = {}
    for example in _candidates(shards, count * _CANDIDATES):
        by_labels.setdefault(example.labels, []).append(example)
    turns = [(turn, key) for key in by_labels for turn in range(len(by_labels[key]))]
    chosen = sorted(turns)[:count]
    examples = [by_labels[key][turn] for turn, key in chosen]
    return sorted(examples, key=lambda example: (example.labels, example.example_id))


def _candidates(shards: manifest.ShardSet, count: int) -> Iterator[records.Example]:
    # Shards are read side by side, so that a few records show the breadth of a large data set.
    dataset = tf.data.Dataset.from_tensor_slices(list(shards.paths)).interleave(
        lambda path: tf.data.TFRecordDataset(path, compression_type=shards.compression),
        cycle_length=min(len(shards.paths), count),
    )
    try:
        for serialized in dataset.take(count).as_numpy_iterator():
            yield records.decode_example(serialized)
    except (ValueError, tf.errors.DataLossError) as error:
        raise errors.UserError(
            f"a record of split {shards.split!r} cannot be read: "
            f"{getattr(error, 'message', error)}. --check says which."
        ) from error


def _draw_row(
    sheet: Image.Image, top: int, example: records.Example, shards: manifest.ShardSet
) -> None:
    pen = ImageDraw.Draw(sheet)
    pen.line([(_MARGIN, top - _GAP // 2), (sheet.width - _MARGIN, top - _GAP // 2)], fill=_RULE)
    large, small = _font(16), _font(12)
    y = top + 4
    for text, font, ink in _caption(example, shards, large=large, small=small):
        for line in _wrap(pen, text, font, width=_CAPTION - 2 * _GAP):
            pen.text((_MARGIN, y), line, font=font, fill=ink)
            y += font.size + 5
    for place, index in enumerate(_shown_frames(example)):
        left = _MARGIN + _CAPTION + place * (_CELL[0] + _GAP)
        _draw_frame(sheet, (left, top), example, index)
        pen.text((left + 1, top + _CELL[1] + 2), _time(example, index), font=small, fill=_FAINT)


@functools.cache
def _font(size: int):
    """Returns DejaVu Sans, which has Latin, Greek and Cyrillic; Pillow's own has ASCII alone.

    It comes with matplotlib, which tf-models-official installs; matplotlib itself is not loaded.
    """
    found = importlib.util.find_spec("matplotlib")
    for folder in (found and found.submodule_search_locations) or ():
        path = os.path.join(folder, "mpl-data", "fonts", "ttf", "DejaVuSans.ttf")
        if os.path.exists(path):
            return ImageFont.truetype(path, size)
    return ImageFont.load_default(size)


def _shown_frames(example: records.Example) -> list[int]:
    """Returns frames from first to last, the key frame among them if there is one."""
    count = min(_FRAMES, len(example.frames))
    shown = [round(place * (len(example.frames) - 1) / max(1, count - 1)) for place in range(count)]
    if example.key_frame is not None:
        key = example.key_frame.frame_index
        nearest = min(range(count), key=lambda place: abs(shown[place] - key))
        shown[nearest] = key
    return shown


def _caption(example: records.Example, shards: manifest.ShardSet, *, large, small):
    yield ", ".join(example.classes(shards.label_names)) or "no label", large, _INK
    yield os.path.basename(example.example_id) or "no name", small, _INK
    size = f"{example.width}x{example.height}, " if example.width else ""
    rate = f", {example.frame_rate:.4g} fps" if example.frame_rate else ""
    yield f"{shards.split}, {size}{len(example.frames)} frames{rate}", small, _FAINT
    if example.key_frame is not None:
        persons = example.key_frame.boxes
        actions = dict.fromkeys(name for person in persons for name in person.label_names)
        detected = sum(not person.labels for person in persons)
        yield (
            f"{len(persons)} boxes{f', {detected} of them detected' if detected else ''}"
            f"{': ' if actions else ''}{', '.join(actions)}",
            small,
            _FAINT,
        )


def _wrap(pen: ImageDraw.ImageDraw, text: str, font, *, width: int) -> Iterator[str]:
    """Yields at most three lines; file names break anywhere."""
    for _ in range(3):
        length = len(text)
        while length > 1 and pen.textlength(text[:length], font=font) > width:
            length -= 1
        space = text.rfind(" ", 0, length + 1) if length < len(text) else -1
        cut = space if space > length // 2 else length
        yield text[:cut]
        text = text[cut:].lstrip()
        if not text:
            return


def _draw_frame(
    sheet: Image.Image, place: tuple[int, int], example: records.Example, index: int
) -> None:
    try:
        frame = Image.open(io.BytesIO(example.frames[index])).convert("RGB")
    except OSError as error:
        raise errors.UserError(f"a frame does not decode: {error}; --check says which.") from error
    frame.thumbnail(_CELL, Image.Resampling.LANCZOS)
    if example.key_frame is not None and index == example.key_frame.frame_index:
        _draw_boxes(frame, example.key_frame.boxes)
    left, top = place[0], place[1] + (_CELL[1] - frame.height) // 2
    sheet.paste(frame, (left, top))
    edge = [(left, top), (left + frame.width - 1, top + frame.height - 1)]
    ImageDraw.Draw(sheet).rectangle(edge, outline=_RULE)  # Else white frames vanish on the paper.


def _draw_boxes(frame: Image.Image, boxes: Sequence[regions.Box]) -> None:
    pen = ImageDraw.Draw(frame)
    right, bottom = frame.width - 1, frame.height - 1
    for box in sorted(boxes, key=lambda box: bool(box.labels)):  # The labelled ones on top.
        corners = [box.xmin * right, box.ymin * bottom, box.xmax * right, box.ymax * bottom]
        pen.rectangle(corners, outline=_LABELLED if box.labels else _UNLABELLED, width=2)


def _time(example: records.Example, index: int) -> str:
    if index < len(example.timestamps_us):
        return f"{example.timestamps_us[index] / 1e6:.2f} s"
    return f"frame {index}"
