# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What a run was made of: data, model, time, settings."""

import dataclasses
import datetime
import os
from collections.abc import Mapping, Sequence

import numpy as np

from official_cvrl import errors, manifest
from official_cvrl.report import events, markup, runs


@dataclasses.dataclass(frozen=True)
class Data:
    """What is known of a folder of shards.

    Attributes:
        num_classes: 0 without labels, or if the folder is gone.
        num_videos: by split.
        fault: why the folder cannot be read; "" if it can.
    """

    num_classes: int
    num_videos: Mapping[str, int]
    fault: str = ""

    @property
    def is_unlabelled(self) -> bool:
        """Whether there are videos, and none has a label."""
        return any(self.num_videos.values()) and not self.num_classes


def read_data(family: Sequence[runs.Run]) -> Mapping[str, Data]:
    """Returns what is known of the data of some runs, by folder."""
    return {data_dir: _data(data_dir) for data_dir in {run.info.data_dir for run in family}}


def section(run: runs.Run, train: events.Events, data: Mapping[str, Data]) -> markup.Markup:
    """Lists the facts of a run, and its configuration folded up."""
    rows = [(name, text) for name, text in _facts(run, train, data[run.info.data_dir]) if text]
    listed = [
        markup.element(
            "div", markup.element("dt", name), markup.element("dd", markup.breakable(text))
        )
        for name, text in rows
    ]
    return markup.element(
        "section", markup.element("h2", "The run"), markup.element("dl", *listed), _settings(run)
    )


def num_candidates(run: runs.Run) -> int:
    """Returns among how many videos a contrastive batch chooses; 0 if it is not known."""
    size = run.settings.value("experiment.run.global_batch_size")
    return size if run.is_pretraining and isinstance(size, int) and size > 1 else 0


def num_steps(train: events.Events) -> int:
    """Returns the last step that was written down."""
    return max((int(series.steps[-1]) for series in train.scalars.values()), default=0)


def model(run: runs.Run) -> str:
    """Returns the backbone's name, such as "R3D-50 ×2"."""
    depth, width = run.info.backbone.get("depth"), run.info.backbone.get("width_multiplier", 1)
    return f"R3D-{depth}" + (f" ×{width:g}" if width != 1 else "")


def duration(seconds: float) -> str:
    """Returns a time in the two largest units."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def clips_per_second(train: events.Events) -> str:
    """Returns the median rate; "" if it was not written down."""
    series = train.scalars.get("clips_per_second")
    rate = np.median(series.values) if series else 0.0
    return (f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}") if rate else ""


def _data(data_dir):
    try:
        shards = [manifest.find_shards(data_dir, split) for split in manifest.list_splits(data_dir)]
    except errors.UserError as error:
        return Data(0, {}, str(error))
    counts = {found.split: found.num_examples for found in shards}
    return Data(len(shards[0].label_names) if shards else 0, counts)


def _facts(run, train, data):
    yield "Steps", f"{num_steps(train):,}" if train.scalars else ""
    yield "Batch", _with(run.settings.value("experiment.run.global_batch_size"), "{:,} videos")
    yield "Time", duration(train.seconds) if train.scalars else ""
    yield "Speed", _with(clips_per_second(train), "{} clips a second, the median")
    yield "Input wait", _input_wait(train)
    yield "Last step", _date(train.ended)
    yield "Data", run.info.data_dir
    yield "Videos", _videos(data)
    yield "Model", model(run)
    yield "Clip", _clip(run.info.clip)
    yield "Folder", run.model_dir
    yield "Version", f"official_cvrl {run.info.version}"


def _with(value, pattern):
    return pattern.format(value) if value else ""


def _input_wait(train):
    series = train.scalars.get("input_wait_share")
    return f"{series.values.mean():.1%} of the time, for the next batch" if series else ""


def _date(seconds):
    when = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return f"{when.day} {when:%B %Y, %H:%M} UTC" if seconds else ""


def _videos(data):
    if data.fault:
        return "the folder cannot be read any more"
    counts = [
        f"{count:,} {split}" for split, count in sorted(data.num_videos.items(), reverse=True)
    ]
    labels = f"{data.num_classes:,} classes" if data.num_classes else "no labels"
    return ", ".join([*counts, labels])


def _clip(clip):
    if clip is None:
        return ""
    every = {1: " in a row", 2: ", every other one", 3: ", every 3rd"}
    stride = every.get(clip.temporal_stride, f", every {clip.temporal_stride}th")
    return f"{clip.num_frames} frames{stride}, {clip.crop_size} × {clip.crop_size} pixels"


def _settings(run):
    if not run.settings.text:
        return markup.Markup("")
    return markup.element(
        "details",
        markup.element("summary", "Settings (config.gin)"),
        markup.element("pre", run.settings.text),
    )


def data_name(data_dir: str) -> str:
    """Returns the last part of a data folder's path."""
    return os.path.basename(data_dir.rstrip("/")) or data_dir
