# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Writes one shard out of its specification: the same specification gives the same bytes.

A shard appears under its name only when it is whole; then a note beside it says what it holds, so
that a run that was stopped at any moment goes on where it was.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable

import tensorflow as tf
from etils import epath

from official_cvrl import filesystems, outputs, records, regions
from tfrecords_tools import annotations, checksums, key_frames, plan, results, video

CANNOT_WRITE = (OSError, tf.errors.OpError)  # What `write_shard` raises.

_CUT_ROUGHLY_US = 500_000  # Tools cut a little before or after the second they are told.
_CUT_AT_KEY_FRAMES_US = 2_500_000  # Those that do not encode anew cut at the next key frame.


@dataclasses.dataclass(frozen=True)
class Watch:
    """Whom to tell how far a shard is.

    Attributes:
      on_start: called with a clip's position before it is opened.
      on_frame: called after every decoded frame.
      on_end: called when a clip is in the shard or in the report.
    """

    on_start: Callable[[int], None] = lambda position: None
    on_frame: Callable[[], None] = lambda: None
    on_end: Callable[[], None] = lambda: None


_NOBODY = Watch()


def write_shard(spec: plan.ShardSpec, *, watch: Watch = _NOBODY) -> results.ShardResult:
    """Decodes the clips of a shard and writes it; broken videos are reported, not raised.

    Raises:
      OSError, tf.errors.OpError: the shard cannot be written; nothing of it is left.
    """
    shard = filesystems.openable_path(spec.output) / spec.name
    partial = outputs.partial_path(shard, attempt=spec.attempt)
    try:
        videos = _write_clips(partial, spec, watch=watch)
        result = results.ShardResult(
            name=spec.name,
            num_examples=sum(bool(one.num_frames) for one in videos),
            bytes=partial.stat().length,
            sha256=checksums.sha256(partial),
            videos=tuple(videos),
        )
        partial.replace(shard)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    results.write_note(spec.output, result)
    return result


def _write_clips(
    path: epath.Path, spec: plan.ShardSpec, *, watch: Watch
) -> list[results.VideoResult]:
    blamed = dict(spec.blamed)
    told = []
    with tf.io.TFRecordWriter(os.fspath(path)) as writer:
        for position, clip in enumerate(spec.clips):
            watch.on_start(position)
            if clip.same_as:
                told.append(_duplicate(clip, spec))
                watch.on_end()
                continue
            try:
                if clip.example_id in blamed:
                    raise video.VideoError(blamed[clip.example_id])
                clip, encoded = _read(clip, spec, watch=watch)
                record = _encode(encoded, clip, spec)
            except video.VideoError as error:
                told.append(_failed(clip, spec, reason=str(error)))
            else:
                writer.write(record)
                told.append(_converted(encoded, clip, spec))
            watch.on_end()
    return told


def _read(
    clip: annotations.Clip, spec: plan.ShardSpec, *, watch: Watch
) -> tuple[annotations.Clip, video.EncodedVideo]:
    """Returns the clip with the times it has in its file, and its frames."""
    try:
        clip = _within_file(clip)
        return clip, video.read_video(
            clip.path,
            settings=spec.settings,
            start_us=clip.start_us,
            end_us=clip.end_us,
            on_frame=watch.on_frame,
        )
    except (MemoryError, video.VideoError):
        raise
    except Exception as error:  # No file, however odd, may end the run of a hundred thousand.
        raise video.VideoError(f"unexpected {type(error).__name__}: {error}") from error


def _within_file(clip: annotations.Clip) -> annotations.Clip:
    """Finds out by the length of a file whether it holds the clip alone, or ends too early."""
    if clip.may_be_cut and _is_cut(clip, video.length_us(clip.path)):
        return dataclasses.replace(clip, start_us=0, end_us=None, may_be_cut=False)
    if clip.key_frame is not None:
        return _around_key_frame(clip)
    return clip


def _around_key_frame(clip: annotations.Clip) -> annotations.Clip:
    time_us, length_us = clip.key_frame.time_us, video.length_us(clip.path)
    try:
        end_us = key_frames.end_within(clip.end_us, time_us=time_us, length_us=length_us)
    except video.VideoError as error:
        raise video.VideoError(
            f"{error}; if an AVA file begins later than the film, say so with --film_start"
        ) from error
    return dataclasses.replace(clip, end_us=end_us)


def _is_cut(clip: annotations.Clip, length_us: int) -> bool:
    reaches_end = length_us >= clip.end_us - _CUT_ROUGHLY_US
    return 0 < length_us <= clip.end_us - clip.start_us + _CUT_AT_KEY_FRAMES_US and not reaches_end


def _key_frame(
    encoded: video.EncodedVideo, clip: annotations.Clip, spec: plan.ShardSpec
) -> regions.KeyFrame | None:
    """Returns which frame a player shows at the annotated time, and who is in it."""
    if clip.key_frame is None:
        return None
    index = key_frames.index(encoded, clip.key_frame.time_us)
    boxes = [
        regions.Box(
            *person.corners,
            labels=tuple(spec.label_names.index(label) for label in person.labels),
            label_names=person.labels,
            score=person.score,
            track=person.track,
        )
        for person in clip.key_frame.persons
    ]
    return regions.KeyFrame(index, tuple(boxes))


def _encode(encoded: video.EncodedVideo, clip: annotations.Clip, spec: plan.ShardSpec) -> bytes:
    return records.encode_example(
        encoded.frames,
        height=encoded.height,
        width=encoded.width,
        frame_rate=encoded.frame_rate,
        timestamps_us=encoded.timestamps_us,
        labels=[spec.label_names.index(label) for label in clip.labels],
        label_names=clip.labels,
        example_id=clip.example_id,
        data_path=clip.data_path,
        start_us=clip.start_us,
        end_us=encoded.end_us,
        dataset_name=spec.dataset_name,
        key_frame=_key_frame(encoded, clip, spec),
    )


def _converted(
    encoded: video.EncodedVideo, clip: annotations.Clip, spec: plan.ShardSpec
) -> results.VideoResult:
    return dataclasses.replace(
        _failed(clip, spec, reason=encoded.fault),
        status=results.INCOMPLETE if encoded.fault else results.CONVERTED,
        num_frames=len(encoded.frames),
        height=encoded.height,
        width=encoded.width,
        frame_rate=round(encoded.frame_rate, 3),
        seconds=round((encoded.end_us - encoded.timestamps_us[0]) / annotations.MICROSECONDS, 3),
    )


def _duplicate(clip: annotations.Clip, spec: plan.ShardSpec) -> results.VideoResult:
    reason = f"duplicate content: the same bytes as {clip.same_as}"
    return dataclasses.replace(_failed(clip, spec, reason=reason), status=results.SKIPPED)


def _failed(clip: annotations.Clip, spec: plan.ShardSpec, *, reason: str) -> results.VideoResult:
    return results.VideoResult(
        path=clip.data_path,
        example_id=clip.example_id,
        status=results.FAILED,
        reason=reason,
        labels="|".join(clip.classes),
        shard=spec.name,
        source_bytes=clip.source_bytes(),
    )
