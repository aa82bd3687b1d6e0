# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A film with boxes and what is said of them drawn into it, as MP4."""

import bisect
import fractions
import os
from collections.abc import Mapping, Sequence
from typing import BinaryIO

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from official_cvrl import progress
from official_cvrl.serving import person_boxes
from tfrecords_tools import annotations, video

_MICROSECONDS = annotations.MICROSECONDS
# A box is drawn so long before and after its second.
_SHOWN_US = _MICROSECONDS // 2
_BOX, _PLATE, _INK = "#35c8ff", "#101114", "#ffffff"
_OPTIONS = {"crf": "20", "preset": "veryfast"}

Captions = Mapping[float, Sequence[tuple[person_boxes.Person, Sequence[str]]]]


def write(path: str, file: BinaryIO, captions: Captions) -> int:
    """Writes the film's pictures with boxes, at the times they have; sound is left out.

    Args:
        path: of the film.
        file: where to.
        captions: by second, persons with the lines that belong to them; drawn half a second
            before and after.

    Returns:
        The number of frames.

    Raises:
        video.VideoError: the film cannot be opened, has no video, or no frame of it decodes.
    """
    seconds = sorted(captions)
    total = video.num_frames(path) or None
    shown = progress.Progress(label=f"draw {os.path.basename(path)}", unit="frames", total=total)
    done = 0
    with av.open(file, "w", format="mp4") as container:
        stream = None
        for time_us, picture in video.pictures(path):
            # Colour at half resolution needs even sides.
            picture = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]
            stream = stream or _stream(container, picture)
            drawn = _drawn(picture, captions, _nearest(seconds, time_us))
            frame = av.VideoFrame.from_ndarray(drawn, format="rgb24")
            frame.pts, frame.time_base = time_us, fractions.Fraction(1, _MICROSECONDS)
            container.mux(stream.encode(frame))
            done += 1
            shown.update(done)
        if stream is not None:
            container.mux(stream.encode())
    shown.close()
    if not done:
        raise video.VideoError("no frame decodes")
    return done


def _stream(container, picture):
    stream = container.add_stream("libx264", rate=25, options=_OPTIONS)
    stream.height, stream.width = picture.shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = fractions.Fraction(1, _MICROSECONDS)
    return stream


def _nearest(seconds: Sequence[float], time_us: int) -> float | None:
    """The key second whose boxes a frame shows; None if there is none near."""
    place = bisect.bisect(seconds, time_us / _MICROSECONDS)
    near = seconds[max(0, place - 1) : place + 1]
    distances = [abs(round(second * _MICROSECONDS) - time_us) for second in near]
    best = int(np.argmin(distances)) if near else 0
    return near[best] if near and distances[best] <= _SHOWN_US else None


def _drawn(picture, captions, second):
    """Returns uint8 [height, width, 3], red first."""
    upright = np.ascontiguousarray(picture[..., ::-1])
    if second is None or not captions[second]:
        return upright
    image = Image.fromarray(upright)
    pen = ImageDraw.Draw(image)
    for person, lines in captions[second]:
        _draw_person(pen, image.size, person, lines)
    return np.asarray(image)


def _draw_person(pen, size, person, lines):
    width, height = size
    ymin, xmin, ymax, xmax = person.corners
    left, top = xmin * (width - 1), ymin * (height - 1)
    thickness = max(2, min(size) // 160)
    pen.rectangle(
        [left, top, xmax * (width - 1), ymax * (height - 1)], outline=_BOX, width=thickness
    )
    font = ImageFont.load_default(max(9, min(size) // 26))
    text = "\n".join(lines)
    x1, y1, x2, y2 = pen.multiline_textbbox((0, 0), text, font=font, spacing=1)
    # Above the box if there is room, and wholly within the picture.
    x = max(0, min(left, width - (x2 - x1) - 4))
    y = top - (y2 - y1) - 4 if top >= y2 - y1 + 4 else top + thickness
    y = max(0, min(y, height - (y2 - y1) - 4))
    pen.rectangle([x, y, x + x2 - x1 + 3, y + y2 - y1 + 3], fill=_PLATE)
    pen.multiline_text((x + 2 - x1, y + 2 - y1), text, font=font, fill=_INK, spacing=1)
