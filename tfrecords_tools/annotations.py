# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What a data set says about its videos: which clips, in which split, with which labels."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from etils import epath

from official_cvrl import errors, filesystems, manifest

DEFAULT_SPLIT = "train"
MICROSECONDS = 1_000_000

_TEXTS = (".txt", ".md", ".csv", ".tsv", ".json", ".xml", ".html", ".yaml", ".yml", ".log", ".nfo")
_SUBTITLES = (".srt", ".vtt", ".ass")
_PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
_ARCHIVES = (".zip", ".tar", ".gz", ".rar", ".7z", ".npy", ".npz", ".pkl", ".tfrecord")
_NO_VIDEO_SUFFIXES = frozenset(_TEXTS + _SUBTITLES + _PICTURES + _ARCHIVES)


@dataclasses.dataclass(frozen=True)
class Person:
    """A box around a person in a key frame.

    Attributes:
      corners: ymin, xmin, ymax, xmax, in [0, 1] of the frame's height and width.
      labels: names of what the person does; empty for a box that a detector drew.
      score: how sure the annotator or detector is, in [0, 1].
      track: the person's number through the video, if known.
    """

    corners: tuple[float, float, float, float]
    labels: tuple[str, ...] = ()
    score: float = 1.0
    track: int | None = None


@dataclasses.dataclass(frozen=True)
class KeyFrame:
    """The annotated moment of a clip.

    Attributes:
      time_us: when it is shown, in microseconds of the file.
      persons: everyone in it.
    """

    time_us: int
    persons: tuple[Person, ...]


@dataclasses.dataclass(frozen=True)
class Clip:
    """One record to be: a video, or a part of one.

    Attributes:
      path: the file to open.
      data_path: the same, relative to the videos' folder.
      labels: class names.
      start_us: where the part starts, in microseconds.
      end_us: where the part ends; None for the end of the video.
      name: names the record where the data set has a name for it, whichever file it lies in.
      may_be_cut: the file may hold that part and nothing else; its length tells.
      key_frame: the moment whose persons have boxes, if there is one.
      same_as: the video that has the same content and is converted instead; empty if none has.
    """

    path: str
    data_path: str
    labels: tuple[str, ...] = ()
    start_us: int = 0
    end_us: int | None = None
    name: str = ""
    may_be_cut: bool = False
    key_frame: KeyFrame | None = None
    same_as: str = ""

    @property
    def example_id(self) -> str:
        """Names the record within its data set: its name, or the path and the times of a part."""
        if self.name:
            return self.name
        if not self.start_us and self.end_us is None:
            return self.data_path
        end = "" if self.end_us is None else seconds(self.end_us)
        return f"{self.data_path}@{seconds(self.start_us)}-{end}"

    @property
    def classes(self) -> tuple[str, ...]:
        """Its labels and those of the persons in it, each once."""
        persons = self.key_frame.persons if self.key_frame else ()
        of_persons = (label for person in persons for label in person.labels)
        return tuple(dict.fromkeys((*self.labels, *of_persons)))

    def source_bytes(self) -> int:
        """Returns the size of the file, or -1 when there is none."""
        return filesystems.num_bytes(self.path)


def seconds(time_us: int) -> str:
    """Returns a time in seconds, with as many digits as it has."""
    return f"{time_us / MICROSECONDS:.6f}".rstrip("0").rstrip(".")


@dataclasses.dataclass(frozen=True)
class Refused:
    """An input that cannot be a clip, for the report; not a `fault` when it is no video at all."""

    data_path: str
    reason: str
    fault: bool = True


@dataclasses.dataclass(frozen=True)
class Split:
    """The inputs of one split.

    Attributes:
      clips: in the data set's order.
      refused: inputs that are broken before any video is opened.
    """

    clips: tuple[Clip, ...]
    refused: tuple[Refused, ...] = ()


@dataclasses.dataclass(frozen=True)
class Annotations:
    """A data set.

    Attributes:
      splits: by name.
      label_names: sorted, or in the official order; the same for all splits.
      settings: what else was chosen about the data set, for the manifest.
    """

    splits: dict[str, Split]
    label_names: tuple[str, ...]
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def may_be_video(path: str | os.PathLike[str]) -> bool:
    """Tells by a file's name whether to try and read it as a video.

    libav would make a video of almost anything: it renders text files and single pictures.
    """
    named = pathlib.PurePath(path)
    return named.suffix.lower() not in _NO_VIDEO_SUFFIXES and not manifest.is_shard(named.name)


def videos_folder(path: str | os.PathLike[str]) -> pathlib.Path | epath.Path:
    """Returns the folder of the videos, here or remote.

    Raises:
      UserError: there is none, it holds records, or this installation cannot open such paths.
    """
    root = filesystems.openable_path(path) if filesystems.scheme(path) else pathlib.Path(path)
    if not root.is_dir():
        what = "is a file, not a folder" if root.exists() else "no such folder"
        raise errors.UserError(f"--videos={path}: {what}.")
    if (root / manifest.MANIFEST_NAME).exists() or manifest.list_splits(root):
        raise errors.UserError(
            f"--videos={path}: this is a folder of records, made by a conversion; give the folder "
            "of the videos. To look into records: python -m tfrecords_tools.inspect "
            f"{shlex.quote(os.fspath(path))}"
        )
    return root


def printable(name: str) -> str:
    """Returns a file name that any encoder takes, though it may not be UTF-8 on disk."""
    return os.fsencode(name).decode(errors="replace")


def files_below(
    folder: pathlib.Path | epath.Path, *, on_error: Callable[[OSError], None] | None = None
) -> Iterator[pathlib.Path | epath.Path]:
    """Yields the files below a folder, hidden ones apart; links to folders are followed once.

    Args:
      folder: where to look.
      on_error: is given the error of each local folder that cannot be listed.
    """
    seen = set()
    for parent, folders, names in filesystems.walk(folder, on_error=on_error):
        real = parent if filesystems.scheme(parent) else os.path.realpath(parent)
        folders[:] = [] if real in seen else [name for name in folders if name[0] != "."]
        if real not in seen:
            below = folder / os.path.relpath(parent, folder)
            yield from (below / name for name in names if name[0] != ".")
        seen.add(real)


def sorted_labels(splits: Iterable[Split]) -> tuple[str, ...]:
    """Returns the names of all classes that occur, each once."""
    return tuple(sorted({label for s in splits for clip in s.clips for label in clip.labels}))
