# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Embeddings of video files by a SavedModel: one row a video, the mean over its clips."""

import os
import sys
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from absl import app, flags

from official_cvrl import errors, progress
from official_cvrl.data import clip_format, sampling
from tfrecords_tools import video

_SAVED_MODEL = flags.DEFINE_string(
    "saved_model", None, "Folder written by serving.export: one version, or the newest is taken."
)
_VIDEOS = flags.DEFINE_multi_string(
    "videos", [], "A video file or a folder of them. Repeat it, or list more after the flags."
)
_OUTPUT = flags.DEFINE_string("output", None, "Where the .npz goes: paths, embeddings.")
_NUM_CLIPS = flags.DEFINE_integer("num_clips", 10, "Clips spread evenly over each video.")


class Extractor:
    """A SavedModel and the clip format it wants.

    Args:
        saved_model: a version's folder, or a folder of versions.

    Raises:
        UserError: no SavedModel of this package there.
    """

    def __init__(self, saved_model: str):
        folder = _newest_version(saved_model)
        with open(os.path.join(folder, clip_format.SERVED_FILE), encoding="utf-8") as file:
            self.clip = clip_format.ClipFormat.from_json(file.read())
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
        paths: video files and folders of them.
        output: .npz with `paths` [num_videos] and `embeddings` float32 [num_videos, dim]; it
            appears whole or not at all.
        num_clips: clips a video.

    Returns:
        (path, reason) of each video that could not be read; it has no row.

    Raises:
        UserError: no SavedModel, no videos, none readable, or the output cannot be written.
    """
    files = _video_files(paths)
    extractor = Extractor(saved_model)
    bar = progress.Progress(label="extract", unit="videos", total=len(files))
    rows, failed = {}, []
    for done, path in enumerate(files, start=1):
        try:
            rows[path] = extractor.embed(path, num_clips=num_clips)
        except video.VideoError as error:
            failed.append((path, str(error)))
        bar.update(done, {"unreadable": str(len(failed))})
    bar.close()
    if not rows:
        raise errors.UserError(f"None of {len(files)} videos is readable: {failed[0]}.")
    _write(output, rows)
    return failed


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


def _video_files(paths):
    files = []
    for path in paths:
        if os.path.isdir(path):
            files += sorted(
                os.path.join(folder, name)
                for folder, _, names in os.walk(path)
                for name in names
                if not name.startswith(".")
            )
        elif os.path.exists(path):
            files.append(path)
        else:
            raise errors.UserError(f"No such video or folder: {path!r}.")
    if not files:
        given = f"No files in {', '.join(paths)}" if paths else "No videos given"
        raise errors.UserError(f"{given}; name files or folders of them with --videos=PATH.")
    return files


def _write(output, rows):
    try:
        with open(output + ".tmp", "wb") as file:
            np.savez(file, paths=np.array(list(rows)), embeddings=np.stack(list(rows.values())))
        os.replace(output + ".tmp", output)
    except OSError as error:
        raise errors.UserError(f"{output!r} cannot be written: {error}.") from error


def main(arguments):
    """Embeds what the flags name; returns the exit code."""
    try:
        if not _SAVED_MODEL.value or not _OUTPUT.value:
            raise errors.UserError("give --saved_model=DIR and --output=FILE.npz")
        paths = [*_VIDEOS.value, *arguments[1:]]
        failed = extract(_SAVED_MODEL.value, paths, _OUTPUT.value, num_clips=_NUM_CLIPS.value)
    except errors.UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for path, reason in failed:
        print(f"unreadable: {path}: {reason}", file=sys.stderr)
    print(f"Embeddings: {_OUTPUT.value} ({len(failed)} unreadable)")
    return 0


if __name__ == "__main__":
    app.run(main)
