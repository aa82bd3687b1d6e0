# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Turns decoded frames into pictures of one size, which look as a player shows them.

Turned by the display matrix, wide pixels made square, ten bits and HDR brought down to eight,
limited and full range told apart.
"""

from __future__ import annotations

import fractions

import av
import numpy as np
from av.video import reformatter

# One process per core decodes whole videos; threads inside would only get in each other's way.
_THREADS = {"threads": 1} if int(av.__version__.split(".")[0]) >= 17 else {}
# FFmpeg's scale filter converts transfer functions since version 8; before, HDR comes out pale.
_CAN_MAP_TONES = av.library_versions["libavfilter"] >= (11,)

# Area filtering is swscale's fastest that does not alias, and frames only ever shrink.
_FILTERING = "AREA"
_SANE_PIXEL_ASPECT = (0.1, 10.0)

_UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED
_PQ, _HLG = 16, 18  # AVCOL_TRC_SMPTE2084, AVCOL_TRC_ARIB_STD_B67
# Above standard definition players take BT.709 where a file does not say, below it BT.601.
_STANDARD_WIDTH, _STANDARD_HEIGHT = 1279, 576


class Scaler:
    """Scales and turns the frames of one video to one size.

    Args:
      pixel_aspect: width of a pixel by its height; None or 0 where the file does not say.
      short_side: of the pictures, in pixels; smaller frames keep their size.

    Attributes:
      height: of the pictures, in pixels; 0 before the first one.
      width: of the pictures, in pixels; 0 before the first one.
    """

    def __init__(self, *, pixel_aspect: fractions.Fraction | None, short_side: int):
        self._pixel_aspect = _sane_pixel_aspect(pixel_aspect)
        self._short_side = short_side
        self._reformatter = reformatter.VideoReformatter()  # Keeps swscale's tables for all frames.
        self._tone_mapper: _ToneMapper | None = None
        self.height = self.width = 0

    def picture(self, frame: av.VideoFrame) -> np.ndarray:
        """Returns `[height, width, 3]`, uint8, blue first, contiguous."""
        quarter_turns = round(frame.rotation / 90) % 4
        sideways = quarter_turns % 2 == 1
        if not self.height:
            self.height, self.width = self._upright_size(frame, sideways=sideways)
        height, width = self.height, self.width
        if sideways:
            height, width = width, height
        if _CAN_MAP_TONES and frame.color_trc in (_PQ, _HLG):
            scaled = self._mapped(frame, width=width, height=height)
        else:
            scaled = self._reformatter.reformat(
                frame,
                width=width,
                height=height,
                format="bgr24",
                src_colorspace=_guessed_colorspace(frame),
                interpolation=_FILTERING,
                **_THREADS,
            )
        return np.ascontiguousarray(np.rot90(scaled.to_ndarray(), quarter_turns))

    def _mapped(self, frame: av.VideoFrame, *, width: int, height: int) -> av.VideoFrame:
        if self._tone_mapper is None or not self._tone_mapper.fits(frame):
            self._tone_mapper = _ToneMapper(frame, width=width, height=height)
        return self._tone_mapper.map(frame)

    def _upright_size(self, frame: av.VideoFrame, *, sideways: bool) -> tuple[int, int]:
        height, width = frame.height, frame.width * self._pixel_aspect
        if sideways:
            height, width = width, height
        scale = min(1.0, self._short_side / min(height, width))
        return max(1, round(height * scale)), max(1, round(width * scale))


class _ToneMapper:
    """Scales HDR frames and brings them to BT.709, highlights rolled off as players do."""

    def __init__(self, frame: av.VideoFrame, *, width: int, height: int):
        self._seen = _shape(frame)
        self._graph = av.filter.Graph()
        source = self._graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=frame.time_base or fractions.Fraction(1, 1_000_000),
        )
        # Small first, then mapped: the table that maps is looked up for every pixel.
        steps = [
            source,
            self._graph.add("scale", f"w={width}:h={height}:flags={_FILTERING.lower()}"),
            self._graph.add("format", "pix_fmts=rgb48le"),
            self._graph.add(
                "scale", "out_transfer=bt709:out_primaries=bt709:intent=perceptual:flags=area"
            ),
            self._graph.add("format", "pix_fmts=bgr24"),
            self._graph.add("buffersink"),
        ]
        for step, following in zip(steps, steps[1:], strict=False):
            step.link_to(following)
        self._graph.configure()

    def fits(self, frame: av.VideoFrame) -> bool:
        return _shape(frame) == self._seen

    def map(self, frame: av.VideoFrame) -> av.VideoFrame:
        self._graph.push(frame)
        return self._graph.pull()


def _shape(frame: av.VideoFrame) -> tuple[int, int, str]:
    return frame.width, frame.height, frame.format.name


def _guessed_colorspace(frame: av.VideoFrame) -> reformatter.Colorspace | None:
    """Returns which matrix a player takes where the frame names none; None for libav's choice."""
    large = frame.width > _STANDARD_WIDTH or frame.height > _STANDARD_HEIGHT
    unknown = frame.colorspace == _UNSPECIFIED and not frame.format.is_rgb
    return reformatter.Colorspace.ITU709 if large and unknown else None


def _sane_pixel_aspect(stated: fractions.Fraction | None) -> float:
    aspect = float(stated or 1)
    return aspect if _SANE_PIXEL_ASPECT[0] < aspect < _SANE_PIXEL_ASPECT[1] else 1.0
