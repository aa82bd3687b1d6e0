# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What a conversion has to do: the shards of each split, and which of them are done already."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
import json
import os
import types
from collections.abc import Mapping, Sequence
from typing import Any

from etils import epath

from official_cvrl import balance, errors, filesystems, manifest, outputs
from tfrecords_tools import annotations, results, video

_VIDEOS_PER_SHARD = 64
_USEFUL_SHARDS = 8  # Enough for readers to work side by side on a small data set.
_LEAST_VIDEOS_PER_SHARD = 4
_DIGEST = "videos_and_labels_sha256"
_LOOKS_AT_ONCE = 32  # Files of a bucket take long to tell their size, but can be asked together.


@dataclasses.dataclass(frozen=True)
class ShardSpec:
    """All that a shard depends on.

    Attributes:
      output: the folder to write to.
      name: the shard's file name.
      clips: its records, in order.
      label_names: the label map.
      dataset_name: goes into every record.
      settings: how frames are taken and encoded.
      blamed: example ids that must not be decoded again, each with the reason.
      attempt: names the file that grows beside, where several may be at work on the same shard.
    """

    output: str
    name: str
    clips: tuple[annotations.Clip, ...]
    label_names: tuple[str, ...]
    dataset_name: str
    settings: video.Settings
    blamed: tuple[tuple[str, str], ...] = ()
    attempt: str = ""


@dataclasses.dataclass(frozen=True)
class SplitPlan:
    """What one split becomes.

    Attributes:
      name: the split.
      settings: all that decides about the content of its shards, for the manifest.
      specs: its shards.
      done: results of the shards that are whole already, by name.
      refused: inputs that are in no shard.
    """

    name: str
    settings: Mapping[str, Any]
    specs: tuple[ShardSpec, ...]
    done: Mapping[str, results.ShardResult]
    refused: tuple[annotations.Refused, ...]

    @property
    def missing(self) -> tuple[ShardSpec, ...]:
        """The shards that have to be written."""
        return tuple(spec for spec in self.specs if spec.name not in self.done)


def plan_split(
    name: str,
    split: annotations.Split,
    *,
    output: str | os.PathLike[str],
    label_names: Sequence[str],
    dataset_name: str,
    settings: video.Settings,
    num_shards: int | None,
    choices: Mapping[str, Any] = types.MappingProxyType({}),
) -> SplitPlan:
    """Lays out the shards of a split and finds out what is done.

    `choices` are the settings that come with the annotations.

    Raises:
      UserError: the output folder holds this split with other settings or other videos.
    """
    # Neighbours in a data set look alike; shards should not.
    clips = sorted(split.clips, key=lambda clip: balance.stable_order(clip.example_id))
    count = num_shards or _default_num_shards(len(clips))
    stated = {
        "dataset": dataset_name,
        **choices,
        **dataclasses.asdict(settings),
        "num_shards": count,
        "videos": len(clips),
        _DIGEST: _digest(clips, label_names),
    }
    _refuse_other_settings(output, split=name, settings=stated, choices=choices)
    specs = tuple(
        ShardSpec(
            output=os.fspath(output),
            name=manifest.shard_name(name, index=index, num_shards=count),
            clips=tuple(_slice(clips, index=index, count=count)),
            label_names=tuple(label_names),
            dataset_name=dataset_name,
            settings=settings,
        )
        for index in range(count)
    )
    done = _done(output, split=name, specs=specs)
    return SplitPlan(name, stated, specs, done, split.refused)


def _default_num_shards(num_clips: int) -> int:
    small = min(_USEFUL_SHARDS, -(-num_clips // _LEAST_VIDEOS_PER_SHARD))
    return max(1, small, -(-num_clips // _VIDEOS_PER_SHARD))


def _slice(clips: Sequence, *, index: int, count: int) -> Sequence:
    return clips[index * len(clips) // count : (index + 1) * len(clips) // count]


def _digest(clips: Sequence[annotations.Clip], label_names: Sequence[str]) -> str:
    described = [[clip.example_id, *clip.labels, *_key_frame(clip)] for clip in clips]
    text = json.dumps([described, list(label_names)])
    return hashlib.sha256(text.encode()).hexdigest()


def _key_frame(clip: annotations.Clip) -> tuple:
    return () if clip.key_frame is None else (dataclasses.asdict(clip.key_frame),)


def _refuse_other_settings(
    output, *, split: str, settings: Mapping[str, Any], choices: Mapping[str, Any]
) -> None:
    entry = manifest.read_manifest(output)["splits"].get(split)
    before = entry.get("settings", {}) if entry else _noted_settings(output, split)
    if before is None:
        return
    if before.get(_DIGEST) == settings[_DIGEST]:
        # An earlier version noted fewer choices, and they led to the same videos.
        before = {**choices, **before}
    if before == dict(settings):
        return
    names = [name for name in {**before, **settings} if before.get(name) != settings.get(name)]
    visible = [name for name in names if not name.endswith("sha256")]
    difference = ", ".join(
        f"{name} {_told(before, name)} before and {_told(settings, name)} now" for name in visible
    )
    raise errors.UserError(
        f"--output={output} holds split {split!r} of another conversion: "
        f"{difference or 'other videos or other labels'}. "
        f"Choose another --output, or delete {_there(output, split)} there."
    )


def _told(settings: Mapping[str, Any], name: str) -> str:
    return "not given" if settings.get(name) is None else str(settings[name])


def _there(output, split: str) -> str:
    """Names what of a split's conversion is in a folder."""
    folder = filesystems.openable_path(output)
    names = [name for name in (f"{split}-*",) if any(folder.glob(name))]
    names += [
        name for name in (manifest.MANIFEST_NAME, results.NOTES_FOLDER) if (folder / name).exists()
    ]
    return ", ".join(names)


def settings_path(output: str | os.PathLike[str], split: str) -> epath.Path:
    """Returns where the settings of an unfinished split are noted."""
    return filesystems.openable_path(output) / results.NOTES_FOLDER / f"{split}.settings.json"


def _noted_settings(output, split: str) -> dict[str, Any] | None:
    try:
        return json.loads(settings_path(output, split).read_text())
    except (OSError, ValueError):
        return None


def note_settings(output: str | os.PathLike[str], plan: SplitPlan) -> None:
    """Notes the settings before the first shard is written, for runs that go on later."""
    path = settings_path(output, plan.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    outputs.write_text(path, json.dumps(dict(plan.settings)))


def forget(output: str | os.PathLike[str], plan: SplitPlan, *, shards_too: bool = False) -> None:
    """Removes the notes about a split, once the manifest tells the same."""
    folder = filesystems.openable_path(output)
    for spec in plan.specs:
        results.remove_note(output, spec.name)
        if shards_too:
            (folder / spec.name).unlink(missing_ok=True)
    settings_path(output, plan.name).unlink(missing_ok=True)
    _remove_unfinished(output, plan)
    notes = folder / results.NOTES_FOLDER
    if notes.exists() and not any(notes.iterdir()):
        notes.rmdir()


def _remove_unfinished(output, plan: SplitPlan) -> None:
    """Removes what runs that were killed have left of files that are whole by now."""
    ours = {*(spec.name for spec in plan.specs), *(f"{spec.name}.json" for spec in plan.specs)}
    ours |= {settings_path(output, plan.name).name, results.report_path(output, plan.name).name}
    ours |= {manifest.LABELS_NAME, manifest.MANIFEST_NAME}
    folder = filesystems.openable_path(output)
    for place in (folder, folder / results.NOTES_FOLDER):
        for path in list(place.iterdir()) if place.exists() else ():
            if outputs.whose_partial(path.name) in ours:
                path.unlink(missing_ok=True)


def _done(output, *, split: str, specs: Sequence[ShardSpec]) -> dict[str, results.ShardResult]:
    finished = _finished(output, split)
    whole = {}
    for spec in specs:
        result = results.read_note(output, spec.name) or finished.get(spec.name)
        if result is not None and _is_whole(output, result) and _tells_of(spec, result):
            whole[spec.name] = result
    sizes = _source_sizes([spec for spec in specs if spec.name in whole])
    return {
        spec.name: whole[spec.name]
        for spec in specs
        if spec.name in whole and not _has_changed(spec, whole[spec.name], sizes)
    }


def _finished(output, split: str) -> dict[str, results.ShardResult]:
    """Returns what the manifest and the report of a finished split say about its shards."""
    entry = manifest.read_manifest(output)["splits"].get(split)
    videos: dict[str, list[results.VideoResult]] = {}
    for one in results.read_report(output, split) if entry else ():
        videos.setdefault(one.shard, []).append(one)
    return {
        shard["name"]: results.ShardResult(**shard, videos=tuple(videos.get(shard["name"], ())))
        for shard in (entry.get("shards", ()) if entry else ())
    }


def _is_whole(output, result: results.ShardResult) -> bool:
    shard = filesystems.openable_path(output) / result.name
    return shard.exists() and shard.stat().length == result.bytes


def _tells_of(spec: ShardSpec, result: results.ShardResult) -> bool:
    return {clip.example_id for clip in spec.clips} == {one.example_id for one in result.videos}


def _source_sizes(specs: Sequence[ShardSpec]) -> dict[str, int]:
    """Returns how large each source is now, by path; each is asked once."""
    clips = {clip.path: clip for spec in specs for clip in spec.clips}
    with concurrent.futures.ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
        sizes = pool.map(annotations.Clip.source_bytes, clips.values())
    return dict(zip(clips, sizes, strict=True))


def _has_changed(spec: ShardSpec, result: results.ShardResult, sizes: Mapping[str, int]) -> bool:
    """Returns whether a source has been replaced since, or repeats another one now or no longer."""
    told = {one.example_id: one for one in result.videos}
    return any(
        _is_replaced(told[clip.example_id], size=sizes[clip.path])
        or bool(clip.same_as) != (told[clip.example_id].status == results.SKIPPED)
        for clip in spec.clips
    )


def _is_replaced(before: results.VideoResult, *, size: int) -> bool:
    # What is in a shard stays there when its source was thrown away to make room.
    is_kept = before.num_frames > 0 and size < 0
    return size != before.source_bytes and not is_kept
