# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Film strips: a few square frames of a clip side by side, as one small JPEG."""

import base64
import io
from collections.abc import Sequence

from PIL import Image

_LARGEST_FRAME = 128
MOST_FRAMES = 8
_QUALITY = 88


def strip(frames: Sequence[Image.Image]) -> bytes:
    """Returns the square middles of some frames side by side, as JPEG.

    Args:
        frames: of one size; each is made no larger than 128 pixels.
    """
    size = min(min(frames[0].size), _LARGEST_FRAME)
    sheet = Image.new("RGB", (size * len(frames), size))
    for place, frame in enumerate(frames):
        sheet.paste(_square(frame, size), (place * size, 0))
    encoded = io.BytesIO()
    sheet.save(encoded, "JPEG", quality=_QUALITY, subsampling=0)
    return encoded.getvalue()


def split_rows(picture: bytes, *, num_rows: int) -> Sequence[tuple[bytes, int]]:
    """Takes a picture of film strips, one above the other, apart.

    Args:
        picture: encoded; its frames are square.
        num_rows: strips in it.

    Returns:
        For each row the strip as `strip` makes it and its number of frames, at most 8, spread
        evenly over the clip.
    """
    sheet = Image.open(io.BytesIO(picture)).convert("RGB")
    size = sheet.height // num_rows
    count = sheet.width // size
    chosen = spread(count, MOST_FRAMES)
    return [
        (strip([sheet.crop(_box(column, row, size)) for column in chosen]), len(chosen))
        for row in range(num_rows)
    ]


def spread(count: int, most: int) -> Sequence[int]:
    """Returns at most so many of the numbers below `count`, evenly, the first and the last too."""
    if count <= most:
        return range(count)
    return [round(place * (count - 1) / (most - 1)) for place in range(most)]


def data_uri(jpeg: bytes) -> str:
    """Returns what `src` of an <img> takes."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _box(column, row, size):
    return column * size, row * size, (column + 1) * size, (row + 1) * size


def _square(frame, size):
    side = min(frame.size)
    left, top = (frame.width - side) // 2, (frame.height - side) // 2
    middle = frame.crop((left, top, left + side, top + side))
    return middle.resize((size, size), Image.Resampling.LANCZOS) if side != size else middle
