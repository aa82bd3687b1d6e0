# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Embeds videos into a table that is there whole or not at all, and goes on where it was ended."""

import contextlib
import dataclasses
import functools
import os
import sys
from collections.abc import Sequence

from official_cvrl import amounts, errors, progress
from official_cvrl.serving import (
    client,
    embedder,
    journal,
    local,
    patience,
    questions,
    rows,
    tables,
    video_files,
    windows,
)
from tfrecords_tools import annotations


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """How videos are embedded.

    Attributes:
        num_clips: clips spread evenly over each video, whose mean is its row.
        window: length of a window, for a row each instead; see `windows.dense`.
        hop: from one window to the next.
        temporal_stride: from one frame of a clip to the next; 0 for what the model says.
        patience: seconds to ask again while there is no answer.
        asking: how the model is asked.

    Raises:
        ValueError: a number is too small.
    """

    num_clips: int = 10
    window: windows.Length | None = None
    hop: windows.Length | None = None
    temporal_stride: int = 0
    patience: float = 60.0
    asking: questions.Asking = dataclasses.field(default_factory=questions.Asking)

    def __post_init__(self):
        for name, least in (("num_clips", 1), ("temporal_stride", 0), ("patience", 0)):
            if not getattr(self, name) >= least:
                raise ValueError(f"{name}={getattr(self, name)} must be at least {least}.")

    @property
    def is_dense(self) -> bool:
        """Whether each window has a row of its own."""
        return bool(self.window or self.hop)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How large the table is, and what it lacks.

    Attributes:
        failed: videos without rows, and folders that could not be looked into.
        partial: videos of which a part alone could be read; their rows are of that part.
        shape: how many rows it has, and of how many numbers.
        num_others: files in folders that are no videos by their names.
    """

    failed: Sequence[rows.Fault]
    partial: Sequence[rows.Fault]
    shape: tuple[int, int]
    num_others: int


def extract(
    model: client.Client, paths: Sequence[str], output: str, *, options: Options | None = None
) -> Outcome:
    """Embeds videos and writes the table.

    Args:
        model: to ask.
        paths: see `video_files.find`.
        output: see `tables.write`. It appears whole or not at all; until then, what is done is
            kept beside it, and the next call goes on from there.
        options: how.

    Raises:
        UserError: no videos, none readable, another model than is needed, or the output cannot be
            written, or is a finished table of another model.
        TryAgain: the model does not answer.
    """
    options = options or Options()
    found = video_files.find(paths)
    tables.refuse_unknown(output)
    patient = _patient(options)
    try:
        running, known_by, served = _running(model, options, patient)
        print(f"Model: {served.name}{served.checksum and f' ({served.checksum})'}", flush=True)
        tables.refuse_other_model(output, served.checksum)
        kept = journal.Journal(output, **known_by)
        try:
            failed = _embed(running, found.videos, kept)
            names = [annotations.printable(path) for path in found.videos]
            partial = kept.faults(names)
            shape = _write(output, names, kept, failed, checksum=served.checksum)
        except BaseException:
            kept.close(keep=True)
            raise
    except patience.GaveUp as error:
        raise errors.TryAgain(
            f"No answer for {options.patience:g} s: {error}. What is done is kept: once there is "
            "an answer, the same command goes on from there."
        ) from error
    except client.Gone as error:
        raise errors.UserError(
            f"The server dropped the model while it was asked: {error}. What is done is kept: have "
            "the server load that version again, and the same command goes on from there; or "
            f"delete {output}{journal.SUFFIX} to begin anew with the version that it has now."
        ) from error
    kept.close(keep=False)
    return Outcome([*found.faults, *failed], partial, shape, found.num_others)


def embed(model: client.Client, path: str, *, options: Options | None = None) -> rows.Rows:
    """Embeds one video.

    Raises:
        UserError: it cannot be read, or another model than is needed.
        TryAgain: the model does not answer.
    """
    options = options or Options()
    patient = _patient(options)
    try:
        running, _, _ = _running(model, options, patient)
        (found,) = running.run([path])
    except patience.GaveUp as error:
        raise errors.TryAgain(f"No answer for {options.patience:g} s: {error}") from error
    except client.Gone as error:
        raise errors.UserError(f"The server dropped the model: {error}") from error
    if isinstance(found, rows.Fault):
        raise errors.UserError(f"{path} has no embedding: {found.reason}.")
    return found


def _patient(options):
    return patience.Patience(options.patience, say=functools.partial(_say_waiting, options))


def _running(model, options, patient):
    """What embeds videos, what its rows are known by, and the model's description."""
    served = _described(model, options, patient)
    (shape,) = served.inputs[options.asking.signature].values()
    asked = questions.Questions(model, asking=options.asking, patient=patient, num_frames=shape[1])
    try:
        sample = asked.sample()
    except client.Refused as error:
        raise errors.UserError(
            f"{served.name} does not even embed a sample clip: {error}. It may be another kind of "
            "model, or broken; export it anew."
        ) from error
    stride = options.temporal_stride or _stride(model, asked)
    cut, settings = _cut(options, num_frames=shape[1], temporal_stride=stride)
    model_name = served.checksum or served.name
    known_by = {"settings": {"model": model_name} | settings, "sample": sample}
    return embedder.Embedder(asked, cut=cut), known_by, served


def _described(model, options, patient):
    signature = options.asking.signature
    try:
        served = patient.ask(functools.partial(model.describe, timeout=options.asking.timeout))
    except client.OtherProtocol as error:
        raise errors.UserError(str(error)) from error
    except client.Refused as error:
        raise errors.UserError(f"The server has no such model: {error}") from error
    if signature not in served.inputs:
        raise errors.UserError(
            f"{served.name} has no signature {signature}; it has {', '.join(served.inputs)}. "
            "Choose with --signature, or export the model anew."
        )
    return served


def _cut(options, **clip):
    """What chooses a video's clips, and its settings."""
    if options.is_dense:
        chosen = {"window": options.window, "hop": options.hop}
        cut = functools.partial(windows.dense, **clip, **chosen)
        chosen = {name: str(length) for name, length in chosen.items() if length}
    else:
        chosen = {"num_clips": options.num_clips}
        cut = functools.partial(windows.whole, **clip, **chosen)
    return cut, clip | chosen


def _stride(model, asked):
    if isinstance(model, local.Local):
        return model.clip.temporal_stride
    if stride := asked.temporal_stride():
        return stride
    raise errors.UserError(
        "The server's model does not say how far apart it wants frames: an earlier version of this "
        "package exported it. Export it anew, or give --temporal_stride=N, which "
        "assets.extra/clip.json in the SavedModel has."
    )


def _say_waiting(options, reason):
    print(f"no answer, asking again for {options.patience:g} s: {reason}", file=sys.stderr)


def _embed(running, files, kept):
    states = {annotations.printable(path): video_files.state(path) for path in files}
    if changed := kept.forget_changed(states):
        videos = amounts.counted(changed, "video")
        print(f"{videos} changed since; embedded anew.", file=sys.stderr)
    wanted = [path for path in files if annotations.printable(path) not in kept]
    failed, done = [], len(files) - len(wanted)
    bar = progress.Progress(label="extract", unit="videos", total=len(files), done=done)
    with contextlib.closing(bar), contextlib.closing(running.run(wanted)) as results:
        for found in results:
            if isinstance(found, rows.Fault):
                failed.append(found)
            else:
                kept.append(found)
            done += 1
            bar.update(done, {"failed": str(len(failed))})
    order = {path: place for place, path in enumerate(files)}
    return sorted(failed, key=lambda failure: order[failure.path])


def _write(output, names, kept, failed, *, checksum):
    if not any(name in kept for name in names):
        first = failed[0]
        raise errors.UserError(
            f"No video of {len(names):,} has an embedding; {first.path}: {first.reason}."
        )
    folder = annotations.printable(os.getcwd())
    return tables.write(output, kept.read(names), folder=folder, checksum=checksum)
