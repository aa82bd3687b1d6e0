# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Videos to rows: several at once, and one bad one spoils no other."""

import concurrent.futures
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from official_cvrl.serving import client, patience, questions, rows, video_files, windows
from tfrecords_tools import annotations, video


class Embedder:
    """Embeds videos.

    Args:
        asked: the model.
        cut: which clips of a video.
    """

    def __init__(
        self, asked: questions.Questions, *, cut: Callable[[video.EncodedVideo], windows.Clips]
    ):
        self._asked, self._cut = asked, cut

    def run(self, paths: Iterable[str]) -> Iterator[rows.Rows | rows.Fault]:
        """Yields the rows of each video as soon as it is done, in whichever order.

        Raises:
            patience.GaveUp: the model does not answer any more, whatever it is asked.
            client.Gone: it is not served any more.
        """
        at_once, patient = self._asked.asking.requests_at_once, self._asked.patient
        # One more video than requests: the next is decoded while the others wait for the model.
        videos = concurrent.futures.ThreadPoolExecutor(at_once + 1, "video")
        requests = concurrent.futures.ThreadPoolExecutor(at_once, "request")
        try:
            read = functools.partial(self._video, requests)
            yield from _as_done(videos, read, paths, ahead=at_once + 1, on_fault=patient.stop)
        finally:
            patient.stop()
            # Who ends it early need not wait: what runs now ends by itself, at the next frame or
            # after the request, and nothing new begins.
            for pool in (requests, videos):
                pool.shutdown(wait=False, cancel_futures=True)

    def _video(self, requests, path):
        try:
            return self._rows(requests, path)
        except (patience.Stopped, client.Gone, concurrent.futures.CancelledError):
            raise
        except patience.GaveUp as error:
            if not self._asked.is_answered():
                raise
            return rows.Fault(path, f"no answer, though there is one to other clips: {error}")
        except (video.VideoError, client.Refused) as error:
            return rows.Fault(path, str(error))
        except Exception as error:  # No file, however odd, may end the run of all others.
            return rows.Fault(path, f"unexpected {type(error).__name__}: {error}")

    def _rows(self, requests, path):
        state = video_files.state(path)  # Before it is read, or a change in between went unseen.
        encoded = video.read_video(
            path, settings=video.Settings(), on_frame=self._asked.patient.check
        )
        clips = self._cut(encoded)
        pieces = -(-len(clips.frames) // self._asked.asking.clips_per_request)
        answers = [
            requests.submit(self._asked.embed, encoded.frames, frames)
            for frames in np.array_split(clips.frames, pieces)
        ]
        try:
            found = np.concatenate([answer.result() for answer in answers])
        finally:
            for answer in answers:  # After a fault in one, the video's others are of no use.
                answer.cancel()
        if len(clips.start_us) == 1:
            found = found.mean(axis=0, keepdims=True)
        times = clips.start_us, clips.end_us
        name = annotations.printable(path)
        return rows.Rows(name, *times, found, fault=encoded.fault, state=state)


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
