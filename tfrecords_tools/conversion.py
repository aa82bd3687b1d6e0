# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Carries out what is planned: shards, then reports, label map and manifest."""

from __future__ import annotations

import collections
import contextlib
import os
from collections.abc import Callable, Sequence

from official_cvrl import errors, manifest, progress
from tfrecords_tools import plan, results, summary


def carry_out(
    plans: Sequence[plan.SplitPlan],
    output: str | os.PathLike[str],
    *,
    label_names: Sequence[str],
    write_shards: Callable[..., Sequence[results.ShardResult]],
    quiet: bool,
) -> tuple[summary.SplitSummary, ...]:
    """Writes the shards that are missing, then the reports, the label map and the manifest.

    Args:
      plans: what to do.
      output: the folder of the shards.
      label_names: the label map.
      write_shards: an engine: called with specifications and `on_clips`, as `engines.run_local`.
      quiet: show no progress.

    Raises:
      UserError: a shard cannot be written, or none of the videos could be converted.
      OSError: the rest cannot be written.
    """
    written = _write_missing(plans, output, write_shards=write_shards, quiet=quiet)
    return _finish(plans, written, output, label_names=label_names)


def _write_missing(
    plans: Sequence[plan.SplitPlan], output, *, write_shards, quiet: bool
) -> dict[str, results.ShardResult]:
    for one in plans:
        plan.note_settings(output, one)
    specs = [spec for one in plans for spec in one.missing]
    total = sum(len(spec.clips) for one in plans for spec in one.specs)
    missing = sum(len(spec.clips) for spec in specs)
    bar = progress.Progress(
        label="convert", unit="videos", total=total, done=total - missing, quiet=quiet
    )
    with contextlib.closing(bar):
        done = write_shards(specs, on_clips=bar.add) if specs else []
    return {result.name: result for result in done}


def _finish(
    plans: Sequence[plan.SplitPlan], written, output, *, label_names: Sequence[str]
) -> tuple[summary.SplitSummary, ...]:
    shards = {one.name: [{**one.done, **written}[spec.name] for spec in one.specs] for one in plans}
    reports = {one.name: _report(one, shards[one.name]) for one in plans}
    for name, videos in reports.items():
        results.write_report(output, split=name, videos=videos)
    if not any(shard.num_examples for of_split in shards.values() for shard in of_split):
        for one in plans:
            plan.forget(output, one, shards_too=True)
        raise errors.UserError(_nothing_converted(output, reports))
    if label_names:
        manifest.write_labels(output, label_names)
    for one in plans:
        if not any(shard.num_examples for shard in shards[one.name]):
            shards[one.name] = []
            plan.forget(output, one, shards_too=True)
            continue
        entry = _manifest_entry(one, shards[one.name], reports[one.name])
        manifest.write_split(output, split=one.name, entry=entry)
        plan.forget(output, one)
    return tuple(
        summary.SplitSummary(
            name=one.name,
            num_converted=sum(shard.num_examples for shard in shards[one.name]),
            num_frames=sum(each.num_frames for each in reports[one.name]),
            num_shards=len(shards[one.name]),
            num_kept=len(one.done),
            bytes=sum(shard.bytes for shard in shards[one.name]),
            classes=frozenset(
                label for each in reports[one.name] if each.num_frames for label in each.class_names
            ),
            faults=tuple(each for each in reports[one.name] if each.status != results.CONVERTED),
        )
        for one in plans
    )


def _report(
    one: plan.SplitPlan, shards: Sequence[results.ShardResult]
) -> list[results.VideoResult]:
    refused = [
        results.VideoResult(
            path=each.data_path,
            example_id="",
            status=results.FAILED if each.fault else results.SKIPPED,
            reason=each.reason,
        )
        for each in one.refused
    ]
    return [each for shard in shards for each in shard.videos] + refused


def _nothing_converted(output, reports: dict[str, list[results.VideoResult]]) -> str:
    videos = [one for report in reports.values() for one in report]
    first = "; ".join(f"{one.path}: {one.reason}" for one in videos[:3])
    return (
        f"none of the {len(videos)} videos could be converted ({first}"
        f"{'; …' if len(videos) > 3 else ''}). All reasons are in "
        f"{', '.join(os.fspath(results.report_path(output, name)) for name in reports)}."
    )


def _manifest_entry(one: plan.SplitPlan, shards, videos) -> dict:
    return {
        "settings": dict(one.settings),
        "num_videos": len(videos),
        "num_examples": sum(shard.num_examples for shard in shards),
        "num_frames": sum(each.num_frames for each in videos),
        "status": dict(sorted(collections.Counter(each.status for each in videos).items())),
        "shards": [
            {key: getattr(shard, key) for key in ("name", "num_examples", "bytes", "sha256")}
            for shard in shards
        ],
    }
