# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Reads a video file into JPEG frames: upright, square pixels, real timestamps, chosen size."""

from __future__ import annotations

import dataclasses
import fractions
import os
from collections.abc import Callable, Iterator

import av
import cv2
import numpy as np

from official_cvrl import filesystems
from tfrecords_tools import one_file, scaling

# What goes wrong in a file ends up in the report; libav's own lines would tear the progress bar.
av.logging.set_level(av.logging.PANIC)

# A record is one protocol buffer, whose limit is 2 GiB; readers hold it in memory whole.
MAX_ENCODED_BYTES = 1 << 30

_MICROSECONDS = 1_000_000
_COMPLETE = 0.9  # Containers count roughly; fewer frames than this share means some are lost.
_FALLBACK_RATE = fractions.Fraction(25)
_ANY_SIZE = 1 << 30


class VideoError(Exception):
    """A file that gives no usable frames; the message is the reason for the report."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """How frames are taken and encoded.

    Attributes:
      short_side: in pixels; smaller videos keep their size, none is enlarged.
      quality: of the JPEGs, 1 to 100.
      fps: frames a second to resample to; None keeps the source's frames and timestamps.
      min_frames: videos with fewer are refused.
    """

    short_side: int = 320
    quality: int = 90
    fps: float | None = None
    min_frames: int = 2


@dataclasses.dataclass(frozen=True)
class EncodedVideo:
    """The frames of one video or clip.

    Attributes:
      frames: JPEGs.
      timestamps_us: strictly increasing microseconds since the start of the source video.
      height: of the frames, in pixels.
      width: of the frames, in pixels.
      frame_rate: mean frames a second.
      end_us: when the last frame ends.
      fault: empty, or in words what is lost of the source.
    """

    frames: tuple[bytes, ...]
    timestamps_us: tuple[int, ...]
    height: int
    width: int
    frame_rate: float
    end_us: int
    fault: str = ""


def read_video(
    path: str | os.PathLike[str],
    *,
    settings: Settings,
    start_us: int = 0,
    end_us: int | None = None,
    on_frame: Callable[[], None] = lambda: None,
) -> EncodedVideo:
    """Decodes, scales and encodes a video or a part of it; memory grows with the part alone.

    Args:
      path: a video file of any format libav knows, but for playlists; see `one_file`.
      settings: how frames are taken and encoded.
      start_us: where the part starts, in microseconds.
      end_us: where the part ends; None for the end of the video.
      on_frame: called after each decoded frame, as a sign of life.

    Raises:
      VideoError: no usable frames; says why.
    """
    tally = _Tally()
    with _open(path) as container:
        stream = _video_stream(container)
        encoder = _Encoder(stream, settings)
        timestamps_us, jpegs = [], []
        part = _part(container, stream, start_us=start_us, end_us=end_us, tally=tally)
        for time_us, frame in _resample(_each(part, on_frame), settings.fps):
            timestamps_us.append(time_us)
            jpegs.append(encoder.encode(frame))
        if len(jpegs) < settings.min_frames:
            raise VideoError(_too_few(len(jpegs), tally=tally, start_us=start_us, end_us=end_us))
        rate = settings.fps or _frame_rate(timestamps_us, stream)
        last_us = timestamps_us[-1] + round(_MICROSECONDS / rate)
        promised_us = _length_us(container, stream) if end_us is None else end_us
        # Closing frees what `stream` points to: all that it says is asked before.
        promised_frames = 0 if start_us or end_us is not None else stream.frames
    return EncodedVideo(
        frames=tuple(jpegs),
        timestamps_us=tuple(timestamps_us),
        height=encoder.height,
        width=encoder.width,
        frame_rate=float(rate),
        end_us=last_us,
        fault=_fault(
            tally,
            expected=promised_frames,
            seconds=(last_us - start_us) / _MICROSECONDS,
            expected_seconds=(promised_us - start_us) / _MICROSECONDS,
        ),
    )


def pictures(path: str | os.PathLike[str]) -> Iterator[tuple[int, np.ndarray]]:
    """Yields the frames of a video as a player shows them, one at a time.

    Frames that do not decode are passed over.

    Yields:
      Microseconds since the start of the video, strictly increasing, and uint8
      `[height, width, 3]`, blue first.

    Raises:
      VideoError: the file cannot be opened, or has no video.
    """
    with _open(path) as container:
        stream = _video_stream(container)
        scaler = scaling.Scaler(pixel_aspect=stream.sample_aspect_ratio, short_side=_ANY_SIZE)
        for time_us, frame in _timed(container, stream, faults=[]):
            yield time_us, scaler.picture(frame)


@dataclasses.dataclass
class _Tally:
    """What came out of the decoder: frames within the part, and the faults on the way."""

    decoded: int = 0
    faults: list[str] = dataclasses.field(default_factory=list)


def _each(items: Iterator, call: Callable[[], None]) -> Iterator:
    for item in items:
        call()
        yield item


def _open(path: str | os.PathLike[str]) -> av.container.InputContainer:
    path = os.fspath(path)
    size = filesystems.num_bytes(path)
    if size < 0:
        raise VideoError("no such file")
    # A named pipe has no size, and is none the less a video.
    if not size and (filesystems.scheme(path) or os.path.isfile(path)):
        raise VideoError("the file is empty (0 bytes)")
    try:
        return one_file.open_alone(filesystems.readable_file(path))
    except one_file.NamesOthers as error:
        raise VideoError(str(error)) from error
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"unreadable: {_words(error)}") from error


def _words(error: Exception) -> str:
    """Returns libav's words for an error without numbers and paths."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    log = getattr(error, "log", None)
    return f"{text} ({log[2].strip()})" if log and log[2].strip() else text


def _video_stream(container: av.container.InputContainer) -> av.video.stream.VideoStream:
    kinds = sorted({stream.type for stream in container.streams})
    cover = av.stream.Disposition.attached_pic
    # libav prefers the default stream, then the largest; a cover picture is a video to it, too.
    best = container.streams.best("video")
    if best is not None and best.disposition & cover:
        best = next((s for s in container.streams.video if not s.disposition & cover), None)
    if best is None:
        raise VideoError(f"no video stream (only {', '.join(kinds) or 'nothing'})")
    if best.codec_context is None:
        raise VideoError("no decoder for its video codec")
    best.thread_count = 1
    return best


def _part(
    container: av.container.InputContainer,
    stream: av.video.stream.VideoStream,
    *,
    start_us: int,
    end_us: int | None,
    tally: _Tally,
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Yields the frames shown in [start_us, end_us) with their times."""
    if start_us:
        _seek(container, stream, start_us)
    for time_us, frame in _timed(container, stream, faults=tally.faults):
        if end_us is not None and time_us >= end_us:
            return
        if time_us >= start_us:
            tally.decoded += 1
            yield time_us, frame


def _seek(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream, start_us: int
) -> None:
    """Moves to a key frame before `start_us`, or stays at the beginning where that fails."""
    if stream.start_time is None:
        return  # Times are then counted from the first frame, which a seek would leave out.
    offset = stream.start_time + int(start_us / _MICROSECONDS / stream.time_base)
    with _open(container.name) as probe:
        try:
            probed = _video_stream(probe)
            probe.seek(offset, stream=probed)
            first = next(_decode(probe, probed, faults=[]), None)
        except (av.FFmpegError, OSError):
            return
    # Without an index, or with a wrong one, a seek lands too late or nowhere.
    if first is not None and first.pts is not None and first.pts <= offset:
        container.seek(offset, stream=stream)


def _timed(
    container: av.container.InputContainer,
    stream: av.video.stream.VideoStream,
    *,
    faults: list[str],
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Yields frames with strictly increasing microseconds since the start of the stream."""
    origin = stream.start_time
    step = round(_MICROSECONDS / (stream.average_rate or _FALLBACK_RATE))
    previous = None
    for frame in _decode(container, stream, faults=faults):
        time_us = 0 if previous is None else previous + step
        if frame.pts is not None:
            origin = frame.pts if origin is None else origin
            stated = round((frame.pts - origin) * stream.time_base * _MICROSECONDS)
            time_us = stated if previous is None or stated > previous else time_us
        yield time_us, frame
        previous = time_us


def _decode(
    container: av.container.InputContainer,
    stream: av.video.stream.VideoStream,
    *,
    faults: list[str],
) -> Iterator[av.VideoFrame]:
    """Yields every frame that decodes; what does not is noted in `faults`."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError) as error:
            faults.append(_words(error))
            return
        if packet is None:
            return
        try:
            yield from packet.decode()
        except av.FFmpegError as error:
            faults.append(_words(error))


def _resample(
    timed: Iterator[tuple[int, av.VideoFrame]], fps: float | None
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Yields at each tick of `fps` the frame a player would show then; all frames without `fps`."""
    if fps is None:
        yield from timed
        return
    shown, tick, first_us = None, 0, 0
    for time_us, frame in timed:
        if shown is None:
            first_us = time_us
        while shown is not None and (due := first_us + round(tick / fps * _MICROSECONDS)) < time_us:
            yield due, shown
            tick += 1
        shown = frame
    if shown is not None and (due := first_us + round(tick / fps * _MICROSECONDS)) <= time_us:
        yield due, shown


class _Encoder:
    """Brings frames to one size and encodes them."""

    def __init__(self, stream: av.video.stream.VideoStream, settings: Settings):
        self._scaler = scaling.Scaler(
            pixel_aspect=stream.sample_aspect_ratio, short_side=settings.short_side
        )
        self._quality = settings.quality
        self._last: tuple[av.VideoFrame, bytes] | None = None
        self._num_bytes = 0

    @property
    def height(self) -> int:
        return self._scaler.height

    @property
    def width(self) -> int:
        return self._scaler.width

    def encode(self, frame: av.VideoFrame) -> bytes:
        if self._last is None or self._last[0] is not frame:
            self._last = frame, self._encode(frame)
        self._num_bytes += len(self._last[1])
        self._check_size()
        return self._last[1]

    def _check_size(self) -> None:
        if self._num_bytes > MAX_ENCODED_BYTES:
            raise VideoError(
                f"too long: its frames exceed {MAX_ENCODED_BYTES >> 20} MB, the most one record "
                "should hold; cut it with --dataset=csv (start and end), or lower --short_side, "
                "--quality or --fps"
            )

    def _encode(self, frame: av.VideoFrame) -> bytes:
        done, jpeg = cv2.imencode(
            ".jpg", self._scaler.picture(frame), [cv2.IMWRITE_JPEG_QUALITY, self._quality]
        )
        if not done:
            raise VideoError("a frame could not be encoded as JPEG")
        return jpeg.tobytes()


def _frame_rate(
    timestamps_us: list[int], stream: av.video.stream.VideoStream
) -> fractions.Fraction:
    if len(timestamps_us) < 2:
        return fractions.Fraction(stream.average_rate or _FALLBACK_RATE)
    span = timestamps_us[-1] - timestamps_us[0]
    return fractions.Fraction((len(timestamps_us) - 1) * _MICROSECONDS, span)


def length_us(path: str | os.PathLike[str]) -> int:
    """Returns how long a file says its video is, in microseconds; 0 when it does not say.

    Raises:
      VideoError: the file cannot be opened, or has no video.
    """
    with _open(path) as container:
        return _length_us(container, _video_stream(container))


def num_frames(path: str | os.PathLike[str]) -> int:
    """Returns how many frames a file says it has, or about; 0 when it does not say.

    Raises:
      VideoError: the file cannot be opened, or has no video.
    """
    with _open(path) as container:
        stream = _video_stream(container)
        seconds = _length_us(container, stream) / _MICROSECONDS
        return stream.frames or round(seconds * (stream.average_rate or 0))


def _length_us(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> int:
    """Returns how long the container says the video is, or 0 when it does not say."""
    if stream.duration:
        return round(stream.duration * stream.time_base * _MICROSECONDS)
    return round((container.duration or 0) * _MICROSECONDS / av.time_base)


def _fault(tally: _Tally, *, expected: int, seconds: float, expected_seconds: float) -> str:
    """Returns what is lost: by count where the container has one, else by time."""
    lost = ""
    short = seconds < _COMPLETE * expected_seconds
    if expected:
        # What an edit list hides is counted, too: few frames over the full time are all there are.
        few = tally.decoded < _COMPLETE * expected and (short or tally.faults)
        if few or (tally.faults and tally.decoded < expected):
            lost = f"{tally.decoded} of {expected} frames decode"
    elif short:
        lost = f"the first {seconds:.1f} of {expected_seconds:.1f} s decode"
    if not lost and tally.faults:
        lost = f"{tally.decoded} frames decode"
    return lost and lost + _reasons(tally)


def _too_few(count: int, *, tally: _Tally, start_us: int, end_us: int | None) -> str:
    frames = "frame decodes" if count == 1 else "frames decode"
    end = "the end" if end_us is None else f"{end_us / _MICROSECONDS:g} s"
    part = f" between {start_us / _MICROSECONDS:g} s and {end}" if start_us or end_us else ""
    return f"too short: {count or 'no'} {frames}{part}{_reasons(tally)}"


def _reasons(tally: _Tally) -> str:
    first = f": {tally.faults[0]}" if tally.faults else ""
    more = f" (and {len(tally.faults) - 1} faults more)" if len(tally.faults) > 1 else ""
    return first + more
