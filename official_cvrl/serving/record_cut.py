# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""How the clips of a folder of records were cut out of their films."""

import dataclasses

from official_cvrl import errors, filesystems, manifest
from tfrecords_tools import video
from tfrecords_tools.datasets import ava


@dataclasses.dataclass(frozen=True)
class Cut:
    """How a clip around a key frame is cut; the defaults are those of conversion.

    Attributes:
        seconds: how long it is.
        settings: how its frames are taken and encoded.
    """

    seconds: float = ava.CLIP_SECONDS
    settings: video.Settings = video.Settings()


def of(data_dir: str) -> Cut:
    """Returns how clips were cut, by the manifest of their records.

    Raises:
        UserError: it does not say, or says unlike things of its splits.
    """
    try:
        splits = manifest.read_manifest(data_dir)["splits"]
        found = {_cut(entry["settings"]) for entry in splits.values()}
    except Exception as error:
        if not isinstance(error, (KeyError, TypeError)) and not filesystems.is_fault(error):
            raise
        found = set()
    if len(found) != 1:
        what = "splits whose clips were cut unlike each other" if found else "no word of it"
        raise errors.UserError(f"{data_dir} holds {what}")
    return found.pop()


def _cut(told) -> Cut:
    names = [field.name for field in dataclasses.fields(video.Settings)]
    values = {name: told[name] for name in ("clip_seconds", *names)}
    if any(not isinstance(value, (int, float)) for value in values.values() if value is not None):
        raise TypeError(f"{values} are not all numbers")
    return Cut(values.pop("clip_seconds"), video.Settings(**values))
