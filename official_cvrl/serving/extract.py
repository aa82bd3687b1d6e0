# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Embeddings of video files by a SavedModel: one row a video, the mean over its clips."""

import os
import sys
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from absl import app, flags

from official_cvrl import errors, outputs, progress
from official_cvrl.data import clip_format, sampling
from tfrecords_tools import annotations, video


class Extractor:
    """A SavedModel and the clip format it wants.

    Args:
        saved_model: a version's folder, or a folder of versions.

    Raises:
        UserError: no SavedModel of this package there, or its clip format is broken.
    """

    def __init__(self, saved_model: str):
        folder = _newest_version(saved_model)
        self.clip = _read_clip_format(os.path.join(folder, clip_format.SERVED_FILE))
        self._model = tf.saved_model.load(folder)

    def embed(self, path: str, *, num_clips: int = 10) -> np.ndarray:
        """Returns a video's embedding, float32 [dim], the mean over clips spread evenly.

        Args:
            path: a video file of any format that conversion reads.
            num_clips: how many clips.

        Raises:
            video.VideoError: the file gives no usable frames.
        """
        encoded = video.read_video(path, settings=video.Settings())
        indices = sampling.dense_clip_frames(
            len(encoded.frames),
            num_frames=self.clip.num_frames,
            temporal_stride=self.clip.temporal_stride,
            num_test_clips=num_clips,
        ).numpy()
        needed, places = np.unique(indices, return_inverse=True)
        frames = np.stack([tf.io.decode_jpeg(encoded.frames[i], channels=3) for i in needed])
        clips = frames[places.reshape(num_clips, self.clip.num_frames)]
        embedding = self._model.signatures["serving_default"](clips=tf.constant(clips))["embedding"]
        return embedding.numpy().mean(axis=0)


def extract(saved_model: str, paths: Sequence[str], output: str, *, num_clips: int = 10) -> list:
    """Embeds videos and writes the table.

    Args:
        saved_model: see `Extractor`.
        paths: video files and folders of them. What is no video by its name is passed over in a
            folder.
        output: .npz with `paths` [num_videos] and `embeddings` float32 [num_videos, dim]; it
            appears whole or not at all.
        num_clips: clips a video.

    Returns:
        (path, reason) of each video that could not be read; it has no row.

    Raises:
        UserError: no SavedModel, no videos, none readable, or the output cannot be written.
    """
    files = _video_files(paths)
    outputs.refuse_unwritable(output)
    rows, failed = _embed_all(Extractor(saved_model), files, num_clips=num_clips)
    if not rows:
        path, reason = failed[0]
        raise errors.UserError(f"None of {len(files)} videos is readable; {path}: {reason}.")
    with outputs.whole_file(output) as file:
        np.savez(file, paths=np.array(list(rows)), embeddings=np.stack(list(rows.values())))
    return failed


def _embed_all(extractor, files, *, num_clips):
    rows, failed = {}, []
    bar = progress.Progress(label="extract", unit="videos", total=len(files))
    try:
        for done, path in enumerate(files, start=1):
            try:
                rows[path] = extractor.embed(path, num_clips=num_clips)
            except video.VideoError as error:
                failed.append((path, str(error)))
            except Exception as error:  # No file, however odd, may end the run of all others.
                failed.append((path, f"unexpected {type(error).__name__}: {error}"))
            bar.update(done, {"failed": str(len(failed))})
    finally:
        bar.close()
    return rows, failed


def _newest_version(folder):
    versions = []
    if os.path.isdir(folder):
        versions = sorted((name for name in os.listdir(folder) if name.isdecimal()), key=int)
    found = os.path.join(folder, versions[-1]) if versions else folder
    for needed in ("saved_model.pb", clip_format.SERVED_FILE):
        if not os.path.exists(os.path.join(found, needed)):
            raise errors.UserError(
                f"{folder!r} holds no SavedModel of this package ({needed} is missing); make one "
                "with python -m official_cvrl.serving.export."
            )
    return found


def _read_clip_format(path):
    try:
        with open(path, encoding="utf-8") as file:
            return clip_format.ClipFormat.from_json(file.read())
    except (OSError, ValueError) as error:
        raise errors.UserError(
            f"{path} is broken: {error}. Make the SavedModel again with python -m "
            "official_cvrl.serving.export."
        ) from error


def _video_files(paths):
    files = []
    for path in paths:
        if os.path.isdir(path):
            files += sorted(
                os.path.join(folder, name)
                for folder, _, names in os.walk(path)
                for name in names
                if not name.startswith(".") and annotations.may_be_video(name)
            )
        elif os.path.exists(path):
            files.append(path)
        else:
            raise errors.UserError(f"No such video or folder: {path!r}.")
    if not files:
        given = f"No videos in {', '.join(paths)}" if paths else "No videos given"
        raise errors.UserError(f"{given}; name files or folders of them with --videos=PATH.")
    return files


def main(arguments):
    """Embeds what the flags name; returns the exit code."""
    given = flags.FLAGS
    try:
        if not given.saved_model or not given.output:
            raise errors.UserError("give --saved_model=DIR and --output=FILE.npz")
        paths = [*given.videos, *arguments[1:]]
        failed = extract(given.saved_model, paths, given.output, num_clips=given.num_clips)
    except errors.UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted; nothing was written.", file=sys.stderr)
        return 130
    for path, reason in failed:
        print(f"no embedding: {path}: {reason}", file=sys.stderr)
    print(f"Embeddings: {given.output} ({len(failed)} videos without)")
    return 0


def _define_flags():
    """Other commands have flags of the same names, so a mere import defines none."""
    flags.DEFINE_string(
        "saved_model", None, "Folder written by serving.export: one version, or the newest."
    )
    flags.DEFINE_multi_string(
        "videos", [], "A video file or a folder of them. Repeat it, or list more after the flags."
    )
    flags.DEFINE_string("output", None, "Where the .npz goes: paths, embeddings.")
    flags.DEFINE_integer("num_clips", 10, "Clips spread evenly over each video.", lower_bound=1)


if __name__ == "__main__":
    _define_flags()
    app.run(main)
