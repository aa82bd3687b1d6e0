# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The embedded data set as records: made once, kept in the user's cache."""

import hashlib
import inspect
import os
import pathlib
import tempfile

from official_cvrl import errors, regions
from official_cvrl import records as records_lib
from official_cvrl.data import synthetic
from tfrecords_tools import convert, plan, shards, video

# The modules whose code decides what the shards hold.
_DECIDES = (synthetic, video, plan, shards, records_lib, regions)


def records() -> str:
    """Returns a folder with the embedded data set's shards, made first if it is not there.

    The folder's name carries a digest of what decides its content, so another version of the
    package never finds the shards of this one. It appears whole or not at all.

    Raises:
        UserError: the cache cannot be written.
    """
    target = _cache_dir() / f"embedded-{_digest()}"
    try:
        if not target.is_dir():
            print(
                f"Making the embedded data set in {target} (once, about half a minute).", flush=True
            )
            _make(target)
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


def _digest():
    """Covers how videos are drawn, how frames are taken from them and how records are laid out."""
    parts = [inspect.getsource(module) for module in _DECIDES] + [repr(video.Settings())]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _make(target):
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        videos, made = os.path.join(scratch, "videos"), os.path.join(scratch, "records")
        synthetic.write_videos(videos)
        convert.convert(dataset="folder", videos=videos, output=made)
        try:
            os.rename(made, target)
        except OSError:  # Another process was faster.
            if not target.is_dir():
                raise
