# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What a model sees of a video: how many frames, how far apart, how large."""

import dataclasses
import json
import os

# Where a SavedModel keeps the format it was exported with.
SERVED_FILE = os.path.join("assets.extra", "clip.json")


@dataclasses.dataclass(frozen=True)
class ClipFormat:
    """The shape of a clip in evaluation and serving.

    Attributes:
        num_frames: frames in a clip.
        temporal_stride: video frames from one frame of the clip to the next.
        min_resize: frames are resized so that their shorter side has this many pixels.
        crop_size: height and width of the square crop that the model sees; at most min_resize.

    Raises:
        ValueError: a number is not positive, or the crop is larger than the resized frame.
    """

    num_frames: int
    temporal_stride: int
    min_resize: int
    crop_size: int

    def __post_init__(self):
        for name, value in dataclasses.asdict(self).items():
            if value < 1:
                raise ValueError(f"{name}={value} must be at least 1.")
        if self.crop_size > self.min_resize:
            raise ValueError(f"{self.crop_size=} must not exceed {self.min_resize=}.")

    def to_json(self) -> str:
        """Returns the format as a line of JSON that `from_json` reads."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "ClipFormat":
        """Reads what `to_json` wrote.

        Raises:
            ValueError: it was not written by `to_json`.
        """
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{text!r} does not describe a clip format: {error}") from error
