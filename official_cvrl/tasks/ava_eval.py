# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
r"""Evaluates a csv file of AVA detections: the official frame mAP, with a table of all classes.

Such as:

    python -m official_cvrl.tasks.ava_eval --groundtruth=ava_val_v2.2.csv --detections=said.csv \
        --labelmap=LABELS.pbtxt
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import os
import sys
from collections.abc import Mapping

import numpy as np
from absl import app, flags

from official_cvrl import ava_files, commands, detection_metrics, errors, outputs

_COLUMNS = ("id", "action", "boxes", "detections", "found", "AP")


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
      names: the actions by id.
      results: by class, in the order of `names`.
      notes: what a person should know of the files' rows.
    """

    names: Mapping[int, str]
    results: detection_metrics.AveragePrecisions
    notes: tuple[str, ...]

    def table(self) -> str:
        """Returns a line for each class, by id, and one for the mean."""
        width = max(len("action"), *map(len, self.names.values()))
        line = f"{{:>5}}  {{:{width}}}{{:>9}}{{:>12}}{{:>9}}{{:>9}}"
        rows = [
            (*cells, "-" if math.isnan(value) else f"{value:.4f}") for *cells, value in self._rows()
        ]
        known = np.count_nonzero(~np.isnan(self.results.values))
        mean = (
            f"mAP@{detection_metrics.IOU_THRESHOLD} = {self.results.mean:.4f}, "
            f"the mean over the {known} of {len(self.names)} classes with ground truth"
        )
        return "\n".join([*(line.format(*row) for row in (_COLUMNS, *sorted(rows))), mean])

    def json(self) -> str:
        """Returns everything; the AP of a class without ground truth is null."""
        keys = ("id", "name", "num_groundtruth", "num_detections", "num_found", "average_precision")
        rows = [(*cells, None if math.isnan(value) else value) for *cells, value in self._rows()]
        content = {
            "mean_average_precision": self.results.mean,
            "iou_threshold": detection_metrics.IOU_THRESHOLD,
            "classes": [dict(zip(keys, row, strict=True)) for row in sorted(rows)],
            "notes": self.notes,
        }
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    def csv(self) -> str:
        """Returns the table without the mean; the AP of a class without ground truth is empty."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        rows = [(*cells, "" if math.isnan(value) else value) for *cells, value in self._rows()]
        writer.writerows([_COLUMNS, *sorted(rows)])
        return text.getvalue()

    def _rows(self):
        results = self.results
        counts = (results.num_groundtruth, results.num_detections, results.num_found)
        columns = (array.tolist() for array in (*counts, results.values))
        return zip(self.names, self.names.values(), *columns, strict=True)


def evaluate(
    *, groundtruth: str, detections: str, labelmap: str, exclusions: str | None = None
) -> Evaluation:
    """Evaluates official files.

    Args:
      groundtruth: csv of `film,seconds,x1,y1,x2,y2,action,person`.
      detections: csv of `film,seconds,x1,y1,x2,y2,action,score`.
      labelmap: pbtxt of the actions that count.
      exclusions: csv of `film,seconds`, key frames that do not count; None for none.

    Raises:
      UserError: a file cannot be read or understood, or holds no ground truth.
    """
    names = ava_files.read_labelmap(labelmap)
    given = {
        "label_ids": list(names),
        "key_frames": ava_files.KeyFrames(),
        "excluded": ava_files.read_exclusions(exclusions) if exclusions else (),
    }
    truth = ava_files.read_groundtruth(groundtruth, **given)
    if not len(truth.boxes):
        raise errors.UserError(
            f"{groundtruth}: none of its {truth.num_rows} rows is a box with an action of "
            f"{labelmap} on a key frame that counts. {' '.join(truth.notes)}"
        )
    said = ava_files.read_detections(detections, **given)
    results = detection_metrics.average_precisions(truth.boxes, said.boxes, num_classes=len(names))
    notes = (*truth.notes, *said.notes, *_notes(detections, truth.boxes, said.boxes))
    return Evaluation(names, results, notes)


def _notes(path, truth, said):
    """What the evaluation itself does to detections."""
    strange = np.count_nonzero(~np.isin(said.frames, truth.frames))
    if strange:
        yield f"{path}: {strange} detections on key frames without ground truth count as wrong"
    counts = np.unique(said.frames, return_counts=True)[1]
    over = int(np.maximum(counts - detection_metrics.MAX_DETECTIONS_PER_FRAME, 0).sum())
    if over:
        yield (
            f"{path}: {over} detections are not among the "
            f"{detection_metrics.MAX_DETECTIONS_PER_FRAME} of highest score of their key frame, "
            "left out as by the official evaluator"
        )


def _write(evaluation: Evaluation, output: str) -> None:
    text = evaluation.csv() if output.endswith(".csv") else evaluation.json()
    with outputs.whole_file(output) as file:
        file.write(text.encode())


def _refuse_output(output):
    if not output.endswith((".json", ".csv")):
        raise errors.UserError(f"--output={output}: give FILE.json or FILE.csv.")
    outputs.refuse_unwritable(output)


def main(unused_argv):
    """Evaluates what the flags name; returns the exit code."""
    return commands.exit_code(_run, interrupted="Interrupted; nothing was written.")


def _run():
    given = flags.FLAGS
    files = {name: given[name].value for name in ("groundtruth", "detections", "labelmap")}
    if not all(files.values()):
        raise errors.UserError(
            "give --groundtruth=FILE.csv, --detections=FILE.csv and --labelmap=FILE.pbtxt"
        )
    if given.output:
        _refuse_output(given.output)
    evaluation = evaluate(**files, exclusions=given.exclusions)
    for note in evaluation.notes:
        print(f"note: {note}", file=sys.stderr)
    print(evaluation.table())
    if given.output:
        _write(evaluation, given.output)
        print(f"Written: {given.output} ({os.path.getsize(given.output)} bytes)")


def _define_flags():
    """Other commands have flags of the same names, so a mere import defines none."""
    flags.DEFINE_string("groundtruth", None, "csv: film,seconds,x1,y1,x2,y2,action,person.")
    flags.DEFINE_string("detections", None, "csv: film,seconds,x1,y1,x2,y2,action,score.")
    flags.DEFINE_string("labelmap", None, "pbtxt of the actions that count.")
    flags.DEFINE_string("exclusions", None, "csv of key frames that do not count: film,seconds.")
    flags.DEFINE_string("output", None, "Where the table goes, too: FILE.json or FILE.csv.")


if __name__ == "__main__":
    _define_flags()
    app.run(main, flags_parser=commands.parse_flags)
