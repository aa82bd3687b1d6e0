# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Videos to rows: several at once, and one bad one spoils no other."""

import concurrent.futures
import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import tensorflow as tf

from official_cvrl.serving import client, patience, rows, windows
from tfrecords_tools import annotations, video

OUTPUT = "embedding"
# Frames go as the JPEGs that they were read as, a thirtieth of the bytes of their pixels. Both
# signatures decode alike, so that the numbers are the same.
ENCODED, RAW = "encoded_frames", "serving_default"
_INPUTS = {ENCODED: "frames", RAW: "clips"}


@dataclasses.dataclass(frozen=True)
class Asking:
    """How a model is asked.

    Attributes:
        signature: `ENCODED` or `RAW`.
        clips_per_request: at most; a request has clips of one video.
        requests_at_once: at most.
        timeout: seconds for one request.
    """

    signature: str = ENCODED
    clips_per_request: int = 8
    requests_at_once: int = 1
    timeout: float = 60.0


@dataclasses.dataclass(frozen=True)
class Failure:
    """A video that has no rows, and why."""

    path: str
    reason: str


class Embedder:
    """Embeds videos.

    Args:
        model: to ask.
        cut: which clips of a video.
        asking: how.
        patient: how long to ask again.
    """

    def __init__(
        self,
        model: client.Client,
        *,
        cut: Callable[[video.EncodedVideo], windows.Clips],
        asking: Asking,
        patient: patience.Patience,
    ):
        self._model, self._cut, self._asking, self._patient = model, cut, asking, patient

    def run(self, paths: Iterable[str]) -> Iterator[rows.Rows | Failure]:
        """Yields the rows of each video as soon as it is done, in whichever order.

        Raises:
            patience.GaveUp: the model does not answer any more.
        """
        at_once = self._asking.requests_at_once
        # One more video than requests: the next is decoded while the others wait for the model.
        videos = concurrent.futures.ThreadPoolExecutor(at_once + 1, "video")
        requests = concurrent.futures.ThreadPoolExecutor(at_once, "request")
        try:
            read = functools.partial(self._video, requests)
            yield from _as_done(videos, read, paths, ahead=at_once + 1, on_fault=self._patient.stop)
        finally:
            self._patient.stop()
            for pool in (videos, requests):
                pool.shutdown(cancel_futures=True)

    def _video(self, requests, path):
        try:
            return self._rows(requests, path)
        except (video.VideoError, client.Refused) as error:
            return Failure(path, str(error))
        except (patience.GaveUp, concurrent.futures.CancelledError):
            raise
        except Exception as error:  # No file, however odd, may end the run of all others.
            return Failure(path, f"unexpected {type(error).__name__}: {error}")

    def _rows(self, requests, path):
        encoded = video.read_video(path, settings=video.Settings())
        clips = self._cut(encoded)
        pieces = -(-len(clips.frames) // self._asking.clips_per_request)
        asked = [
            requests.submit(self._ask, encoded, frames)
            for frames in np.array_split(clips.frames, pieces)
        ]
        found = np.concatenate([answer.result() for answer in asked])
        if len(clips.start_us) == 1:
            found = found.mean(axis=0, keepdims=True)
        return rows.Rows(annotations.printable(path), clips.start_us, clips.end_us, found)

    def _ask(self, encoded, frames):
        asking = self._asking
        values = _values(encoded, frames, asking.signature)
        predict = functools.partial(
            self._model.predict,
            asking.signature,
            _INPUTS[asking.signature],
            values,
            output=OUTPUT,
            timeout=asking.timeout,
        )
        return self._patient.ask(predict)


def _values(encoded, frames, signature):
    """A request's input: object [num_clips, num_frames] of JPEGs, or uint8 clips."""
    if signature == ENCODED:
        return np.array(encoded.frames, object)[frames]
    needed, places = np.unique(frames, return_inverse=True)
    decoded = [tf.io.decode_jpeg(encoded.frames[index], channels=3) for index in needed]
    return np.stack(decoded)[places.reshape(frames.shape)]


def _as_done(pool, function, items, *, ahead, on_fault):
    """Yields results as they come; so many items are taken ahead of them.

    After a fault no more are taken, but what is under way is still yielded before it is raised.
    """
    items, fault = iter(items), None
    waiting = {pool.submit(function, item) for item in itertools.islice(items, ahead)}
    while waiting:
        done, waiting = concurrent.futures.wait(
            waiting, return_when=concurrent.futures.FIRST_COMPLETED
        )
        fault = fault or next((f.exception() for f in done if f.exception()), None)
        if fault:
            on_fault()
        else:
            waiting |= {pool.submit(function, item) for item in itertools.islice(items, len(done))}
        yield from [future.result() for future in done if not future.exception()]
    if fault:
        raise fault
