# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What a model is asked: the embeddings of clips, and of a sample that shows if it is there."""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from official_cvrl.serving import client, patience

OUTPUT, _STRIDE = "embedding", "temporal_stride"
# Frames go as the JPEGs that they were read as, a thirtieth of the bytes of their pixels. Both
# signatures decode alike, so that the numbers are the same.
ENCODED, RAW = "encoded_frames", "serving_default"
_INPUTS = {ENCODED: "frames", RAW: "clips"}
_SAMPLE_SIZE = 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asking:
    """How a model is asked.

    Attributes:
        signature: `ENCODED` or `RAW`.
        clips_per_request: at most; a request has clips of one video.
        requests_at_once: at most.
        timeout: seconds for one request.

    Raises:
        ValueError: a number is not positive.
    """

    signature: str = ENCODED
    clips_per_request: int = 8
    requests_at_once: int = 1
    timeout: float = 60.0

    def __post_init__(self):
        for name in ("clips_per_request", "requests_at_once", "timeout"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}={getattr(self, name)} must be more than 0.")


class Questions:
    """Asks a model; several threads may do so at once.

    Attributes:
        asking: how.
        patient: how long to ask again.

    Args:
        model: to ask.
        asking: see above.
        patient: see above.
        num_frames: frames of the model's clips.
    """

    def __init__(
        self,
        model: client.Client,
        *,
        asking: Asking,
        patient: patience.Patience,
        num_frames: int,
    ):
        self._model, self.asking, self.patient = model, asking, patient
        frames = np.random.default_rng(0).integers(
            0, 256, [num_frames, _SAMPLE_SIZE, _SAMPLE_SIZE, 3], np.uint8
        )
        jpegs = [tf.io.encode_jpeg(frame).numpy() for frame in frames]
        self._sample = _values(jpegs, np.arange(num_frames)[np.newaxis], asking.signature)

    def embed(self, jpegs: Sequence[bytes], clips: np.ndarray) -> np.ndarray:
        """Returns the embeddings of clips, float32 [num_clips, dim].

        Args:
            jpegs: the frames of a video.
            clips: int [num_clips, num_frames], which of them each clip has.

        Raises:
            client.Refused: the model does not take these clips.
            client.Gone: it is not served any more.
            patience.GaveUp: there was no answer for as long as `patient` is.
            patience.Stopped: `patient` was stopped.
        """
        values = _values(jpegs, clips, self.asking.signature)
        return self.patient.ask(functools.partial(self._predict, values))

    def sample(self) -> np.ndarray:
        """Returns the embedding of a clip that is always the same, float32 [dim].

        Raises:
            As `embed` does.
        """
        return self.patient.ask(functools.partial(self._predict, self._sample))[0]

    def temporal_stride(self) -> int | None:
        """Returns how many frames apart the model wants those of a clip; None if it does not say.

        Raises:
            client.Gone: it is not served any more.
            patience.GaveUp: there was no answer for as long as `patient` is.
        """
        ask = functools.partial(self._predict, self._sample, output=_STRIDE)
        try:
            return int(self.patient.ask(ask)[0])
        except client.Gone:
            raise
        except client.Refused:
            return None

    def is_answered(self) -> bool:
        """Tells whether the sample is answered, asking once: if not, no other clip will be.

        Raises:
            client.Gone: the model is not served any more.
        """
        try:
            self._predict(self._sample)
        except client.Gone:
            raise
        except client.Refused:
            return True
        except client.Unavailable:
            return False
        return True

    def _predict(self, values, *, output=OUTPUT):
        signature = self.asking.signature
        return self._model.predict(
            signature, _INPUTS[signature], values, output=output, timeout=self.asking.timeout
        )


def _values(jpegs, clips, signature):
    """A request's input: object [num_clips, num_frames] of JPEGs, or uint8 clips."""
    if signature == ENCODED:
        return np.array(jpegs, object)[clips]
    needed, places = np.unique(clips, return_inverse=True)
    decoded = [tf.io.decode_jpeg(jpegs[index], channels=3) for index in needed]
    return np.stack(decoded)[places.reshape(clips.shape)]
