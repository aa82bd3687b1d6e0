# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The embedded data sets as records: made once, kept in the user's cache."""

import hashlib
import inspect
import os
import pathlib
import tempfile

from official_cvrl import ava_files, balance, errors, manifest, regions, segments
from official_cvrl import records as records_lib
from official_cvrl.data import actors, synthetic
from tfrecords_tools import (
    annotations,
    convert,
    duplicates,
    key_frames,
    one_file,
    plan,
    scaling,
    shards,
    video,
)
from tfrecords_tools.datasets import ava, ava_tables, box_rows, boxes_file, files, folder

# The modules whose code decides what the shards hold: of both data sets, and of each.
_OF_BOTH = (synthetic, annotations, balance, plan, one_file, video, scaling, key_frames, shards)
_OF_BOTH += (records_lib, regions, segments, manifest)
_OF_CLASSES = (folder, duplicates)
_OF_ACTORS = (actors, boxes_file, box_rows, files, ava, ava_tables, ava_files)

DATA_SETS = ("classes", "actors")


def records(name: str = "classes") -> str:
    """Returns a folder with an embedded data set's shards, made first if it is not there.

    The folder's name carries a digest of what decides its content, so another version of the
    package never finds the shards of this one. It appears whole or not at all.

    Args:
        name: "classes", videos of one class each, or "actors", films with boxes.

    Raises:
        UserError: the cache cannot be written, or there is no data set of that name.
    """
    if name not in DATA_SETS:
        raise errors.UserError(
            f"{name!r} is no embedded data set; they are {', '.join(DATA_SETS)}."
        )
    kind, own = ("", _OF_CLASSES) if name == "classes" else ("-actors", _OF_ACTORS)
    target = _cache_dir() / f"embedded{kind}-{_digest(own + _OF_BOTH)}"
    try:
        if not target.is_dir():
            print(
                f"Making the embedded data set in {target} (once, about half a minute).", flush=True
            )
            _make(target, _MAKERS[name])
    except (OSError, errors.UserError) as error:
        reason = str(error).rstrip(".")
        raise errors.UserError(
            f"The embedded data set cannot be made in {target.parent}: {reason}. Set "
            "XDG_CACHE_HOME to a folder that you may write to and that has room, or give "
            "--data_dir=RECORDS."
        ) from error
    return str(target)


def _cache_dir():
    root = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return pathlib.Path(root) / "official_cvrl"


def _digest(modules):
    """Covers how videos are drawn, how frames are taken from them and how records are laid out."""
    parts = [inspect.getsource(module) for module in modules] + [repr(video.Settings())]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _make_classes(videos, made):
    synthetic.write_videos(videos)
    convert.convert(dataset="folder", videos=videos, output=made)


def _make_actors(videos, made):
    actors.write_films(videos)
    table = os.path.join(videos, actors.TABLE)
    convert.convert(dataset="boxes", videos=videos, annotations=table, output=made)


_MAKERS = {"classes": _make_classes, "actors": _make_actors}


def _make(target, make):
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        videos, made = os.path.join(scratch, "videos"), os.path.join(scratch, "records")
        make(videos, made)
        try:
            os.rename(made, target)
        except OSError:  # Another process was faster.
            if not target.is_dir():
                raise
