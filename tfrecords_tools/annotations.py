# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Reads what a data set says about its videos: which clips, in which split, with which labels."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import math
import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence

from official_cvrl import errors

DATASETS = ("folder", "csv", "ucf101")
DEFAULT_SPLIT = "train"

_SPLIT_FOLDERS = ("train", "val", "valid", "validate", "validation", "test")
_TEXTS = (".txt", ".md", ".csv", ".tsv", ".json", ".xml", ".html", ".yaml", ".yml", ".log", ".nfo")
_SUBTITLES = (".srt", ".vtt", ".ass")
_PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
_ARCHIVES = (".zip", ".tar", ".gz", ".rar", ".7z", ".npy", ".npz", ".pkl", ".tfrecord")
_NO_VIDEO_SUFFIXES = frozenset(_TEXTS + _SUBTITLES + _PICTURES + _ARCHIVES)
_MICROSECONDS = 1_000_000


@dataclasses.dataclass(frozen=True)
class Clip:
    """One record to be: a video, or a part of one.

    Attributes:
      path: the file to open.
      data_path: the same, relative to the videos' folder.
      labels: class names.
      start_us: where the part starts, in microseconds.
      end_us: where the part ends; None for the end of the video.
    """

    path: str
    data_path: str
    labels: tuple[str, ...] = ()
    start_us: int = 0
    end_us: int | None = None

    @property
    def example_id(self) -> str:
        """Names the record within its data set: the path, and the times of a part."""
        if not self.start_us and self.end_us is None:
            return self.data_path
        end = "" if self.end_us is None else _seconds(self.end_us)
        return f"{self.data_path}@{_seconds(self.start_us)}-{end}"

    def source_bytes(self) -> int:
        """Returns the size of the file, or -1 when there is none."""
        try:
            return os.path.getsize(self.path)
        except OSError:
            return -1


def _seconds(time_us: int) -> str:
    return f"{time_us / _MICROSECONDS:.6f}".rstrip("0").rstrip(".")


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
    """

    splits: dict[str, Split]
    label_names: tuple[str, ...]


def read_folder(
    videos: str | os.PathLike[str], *, split: str | None = None, unlabelled: bool = False
) -> Annotations:
    """Reads a folder of videos.

    A folder may hold one folder per class, or videos alone (no labels), or either of these in
    each of `train`, `val` and `test`. Every file but hidden ones is an input.

    Args:
      videos: the folder.
      split: what to call the split, or which of the split folders to take.
      unlabelled: take folders for mere folders, not for classes.

    Raises:
      UserError: no such folder, nothing in it, or no such split folder.
    """
    root = _existing_directory(videos)
    folders = [path for path in sorted(root.iterdir()) if path.is_dir() and path.name[0] != "."]
    if folders and all(folder.name in _SPLIT_FOLDERS for folder in folders):
        names = [folder.name for folder in folders]
        if split is not None and split not in names:
            raise errors.UserError(
                f"--split={split}: {root} has split folders, but only {', '.join(names)}."
            )
        found = {name: _read_tree(root / name, root=root, unlabelled=unlabelled) for name in names}
        label_names = _sorted_labels(found.values())
        return Annotations(found if split is None else {split: found[split]}, label_names)
    inputs = _read_tree(root, root=root, unlabelled=unlabelled)
    return Annotations({split or DEFAULT_SPLIT: inputs}, _sorted_labels([inputs]))


def may_be_video(path: str | os.PathLike[str]) -> bool:
    """Tells by a file's name whether to try and read it as a video.

    libav would make a video of almost anything: it renders text files and single pictures.
    """
    return pathlib.PurePath(path).suffix.lower() not in _NO_VIDEO_SUFFIXES


def _existing_directory(path: str | os.PathLike[str]) -> pathlib.Path:
    root = pathlib.Path(path)
    if not root.is_dir():
        what = "is a file, not a folder" if root.exists() else "no such folder"
        raise errors.UserError(f"--videos={path}: {what}.")
    return root


def _read_tree(folder: pathlib.Path, *, root: pathlib.Path, unlabelled: bool) -> Split:
    files = sorted(_files(folder))
    if not files:
        raise errors.UserError(f"--videos={folder}: there are no files in it.")
    has_classes = not unlabelled and any(path.parent != folder for path in files)
    clips, refused = [], []
    for path in files:
        data_path = _text(path.relative_to(root).as_posix())
        if not may_be_video(path):
            refused.append(Refused(data_path, f"not a video by its name ({path.suffix})", False))
        elif has_classes and path.parent == folder:
            refused.append(Refused(data_path, "lies beside the class folders, so has no class"))
        else:
            label = _text(path.relative_to(folder).parts[0])
            clips.append(Clip(os.fspath(path), data_path, labels=(label,) if has_classes else ()))
    return Split(tuple(clips), tuple(refused))


def _text(name: str) -> str:
    """Returns a file name that any encoder takes, though it may not be UTF-8 on disk."""
    return os.fsencode(name).decode(errors="replace")


def _files(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields the files below a folder, hidden ones apart; links to folders are followed once."""
    seen = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        folders[:] = [] if real in seen else [name for name in folders if name[0] != "."]
        if real not in seen:
            yield from (pathlib.Path(parent, name) for name in names if name[0] != ".")
        seen.add(real)


def _sorted_labels(splits: Iterable[Split]) -> tuple[str, ...]:
    return tuple(sorted({label for s in splits for clip in s.clips for label in clip.labels}))


def read_csv(
    table: str | os.PathLike[str],
    *,
    videos: str | os.PathLike[str],
    split: str | None = None,
) -> Annotations:
    """Reads a csv file with a header.

    Columns: `path` (relative to the videos' folder, or absolute); optionally `start` and `end` in
    seconds, `label` (several are separated by `|`), and `split`.

    Args:
      table: the csv file.
      videos: the videos' folder.
      split: what to call the split, or which rows to take when there is a column `split`.

    Raises:
      UserError: no such file, no column `path`, unknown columns, or no rows.
    """
    root = _existing_directory(videos)
    rows = _read_rows(table)
    by_split: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_split.setdefault(row.get("split") or split or DEFAULT_SPLIT, []).append(row)
    found = {name: _read_clips(of_split, root) for name, of_split in sorted(by_split.items())}
    label_names = _sorted_labels(found.values())
    if split is not None and split not in found:
        raise errors.UserError(f"--split={split}: {table} has only splits {', '.join(found)}.")
    return Annotations(found if split is None else {split: found[split]}, label_names)


_COLUMNS = ("path", "start", "end", "label", "split")


def _read_rows(table: str | os.PathLike[str]) -> list[dict[str, str]]:
    try:
        with open(table, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            names = [name.strip() for name in reader.fieldnames or ()]
            if "path" not in names or set(names) - set(_COLUMNS):
                raise errors.UserError(
                    f"--annotations={table}: the first line must name the columns, path and "
                    f"optionally {', '.join(_COLUMNS[1:])}; it is {','.join(names)!r}."
                )
            reader.fieldnames = names
            rows = [{name: (row[name] or "").strip() for name in names} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise errors.UserError(f"--annotations={table}: cannot be read: {error}.") from error
    if not rows:
        raise errors.UserError(f"--annotations={table}: there are no rows after the header.")
    return rows


def _read_clips(rows: Sequence[dict[str, str]], root: pathlib.Path) -> Split:
    clips: dict[str, Clip] = {}
    refused = []
    for row in rows:
        try:
            clip = _read_clip(row, root)
        except ValueError as error:
            refused.append(Refused(row["path"], str(error)))
            continue
        if clip.example_id in clips:
            refused.append(Refused(row["path"], "the same video and times stand in an earlier row"))
        else:
            clips[clip.example_id] = clip
    return Split(tuple(clips.values()), tuple(refused))


def _read_clip(row: dict[str, str], root: pathlib.Path) -> Clip:
    if not row["path"]:
        raise ValueError("the row has no path")
    start_us, end_us = _time(row.get("start"), "start") or 0, _time(row.get("end"), "end")
    if end_us is not None and end_us <= start_us:
        raise ValueError(f"end {row['end']} is not after start {row.get('start') or 0}")
    labels = tuple(label.strip() for label in row.get("label", "").split("|") if label.strip())
    return Clip(os.fspath(root / row["path"]), row["path"], labels, start_us, end_us)


def _time(text: str | None, column: str) -> int | None:
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{column} {text!r} is not a number of seconds")
    return round(seconds * _MICROSECONDS)


def read_ucf101(
    lists: str | os.PathLike[str],
    *,
    videos: str | os.PathLike[str],
    split: str | None = None,
    fold: int = 1,
) -> Annotations:
    """Reads UCF-101 by its official split files.

    Args:
      lists: the folder of `classInd.txt`, `trainlist01.txt` … `testlist03.txt`.
      videos: the folder of the videos, in class folders or all in one.
      split: `train` or `test`; None for both.
      fold: which of the three official splits, 1 to 3.

    Raises:
      UserError: a file is missing, or a line is not understood.
    """
    root = _existing_directory(videos)
    if split not in (None, "train", "test"):
        raise errors.UserError(f"--split={split}: UCF-101 has train and test; choose with --fold.")
    folder = pathlib.Path(lists)
    label_names = _ucf101_classes(folder / "classInd.txt")
    found = {}
    for name in (split,) if split else ("train", "test"):
        path = folder / f"{name}list{fold:02d}.txt"
        clips = [_ucf101_clip(line, path, root, set(label_names)) for line in _lines(path)]
        found[name] = Split(tuple(clips))
    return Annotations(found, label_names)


def _lines(path: pathlib.Path) -> list[str]:
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise errors.UserError(
            f"{path}: cannot be read: {error}. --annotations must be the folder of the official "
            "split files (classInd.txt, trainlist01.txt, testlist01.txt, …)."
        ) from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def _ucf101_classes(path: pathlib.Path) -> tuple[str, ...]:
    names = {}
    for line in _lines(path):
        number, _, name = line.partition(" ")
        if not number.isdigit() or not name:
            raise errors.UserError(f"{path}: {line!r} is not a class number and a class name.")
        names[int(number)] = name
    if sorted(names) != list(range(1, len(names) + 1)):
        raise errors.UserError(f"{path}: the class numbers are not 1 to {len(names)}.")
    return tuple(names[number] for number in sorted(names))


def _ucf101_clip(line: str, path: pathlib.Path, root: pathlib.Path, classes: set[str]) -> Clip:
    data_path = line.split()[0]
    label, _, name = data_path.partition("/")
    if label not in classes or not name:
        raise errors.UserError(f"{path}: {line!r} does not name a class of classInd.txt/video.")
    in_class_folder, beside = root / data_path, root / name
    chosen = beside if not in_class_folder.exists() and beside.exists() else in_class_folder
    return Clip(os.fspath(chosen), data_path, labels=(label,))


def hold_out(annotations: Annotations, *, fraction: float) -> Annotations:
    """Moves a part of each class from the only split into a split `test`.

    Which videos are held out depends on their names alone, so it is the same on every machine,
    and adding videos moves few of the old ones.

    Raises:
      UserError: there are several splits already, or `fraction` is not between 0 and 1.
    """
    if not 0 < fraction < 1:
        raise errors.UserError(f"--test_fraction={fraction} must lie between 0 and 1.")
    if len(annotations.splits) > 1 or "test" in annotations.splits:
        raise errors.UserError(
            f"--test_fraction={fraction}: the videos are split already "
            f"({', '.join(annotations.splits)})."
        )
    ((name, split),) = annotations.splits.items()
    # Parts of one video must not stand on both sides, so whole files are held out.
    files_of: dict[tuple[str, ...], set[str]] = {}
    for data_path, labels in {clip.data_path: clip.labels for clip in split.clips}.items():
        files_of.setdefault(labels, set()).add(data_path)
    held_out = {file for files in files_of.values() for file in _held_out(files, fraction)}
    train = tuple(clip for clip in split.clips if clip.data_path not in held_out)
    test = tuple(clip for clip in split.clips if clip.data_path in held_out)
    splits = {name: Split(train, split.refused), "test": Split(test)}
    return dataclasses.replace(annotations, splits=splits)


def _held_out(files: set[str], fraction: float) -> list[str]:
    count = max(1, round(len(files) * fraction)) if len(files) > 1 else 0
    return sorted(files, key=stable_order)[:count]


def stable_order(name: str) -> str:
    """Returns a sort key that shuffles names the same way everywhere."""
    return hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()
