# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The paper's ablations and baselines at a scale that two cores can do, several seeds each.

    python -m benchmarks.small_study --output=DIR
    python -m benchmarks.small_study --output=DIR --videos=UCF_VIDEOS --annotations=UCF_SPLITS

On the embedded data, or on any part of UCF-101: trained on its training groups, probed on groups
never seen. What is done already is passed over, so the same command goes on after an interruption.
Results of docs/results.md.
"""

import os

from absl import app, flags

from benchmarks import ablations, orderings, outcome, studies, ucf101_records
from official_cvrl import commands, embedded, errors
from official_cvrl.sweep import table

_OUTPUT = flags.DEFINE_string("output", None, "Folder for the runs.", required=True)
_VIDEOS = flags.DEFINE_string("videos", "", "Folder of UCF-101's CLASS/VIDEO.avi; '': embedded.")
_ANNOTATIONS = flags.DEFINE_string("annotations", "", "Folder of UCF-101's official splits.")
_SEEDS = flags.DEFINE_integer("seeds", 3, "Runs of each row, seeds 0, 1, …")
_ROWS_ASKED = flags.DEFINE_multi_string("row", [], "Name of a row; all of them if none is named.")
_STEPS = flags.DEFINE_integer(
    "steps", 600, "Of pre-training; a row of half the batch takes twice as many.", lower_bound=1
)
_PARAMS = flags.DEFINE_multi_string(
    "gin_param", [], "Bindings for pre-training, unless a row has its own."
)

_MEASURES = ("knn_top1", "linear_top1")


def main(unused_argv):
    """Runs each row for each seed and prints the table; returns the exit code."""
    return commands.exit_code(_run, interrupted="Interrupted. The same command goes on.")


def _run():
    if bool(_VIDEOS.value) != bool(_ANNOTATIONS.value):
        raise errors.UserError("--videos and --annotations go together.")
    names = [row.name for row in ablations.ROWS]
    if unknown := sorted(set(_ROWS_ASKED.value) - set(names)):
        raise errors.UserError(f"--row={unknown[0]}: the rows are {'; '.join(names)}.")
    os.makedirs(_OUTPUT.value, exist_ok=True)
    study = studies.Study(
        data_dir=_records(),
        output=_OUTPUT.value,
        pretrain_steps=_STEPS.value,
        pretrain_params=_PARAMS.value,
        num_seeds=_SEEDS.value,
    )
    found = study.run([row for row in ablations.ROWS if row.name in (_ROWS_ASKED.value or names)])
    tables = [table.markdown(found, first="backbone", columns=_MEASURES)]
    if study.num_seeds > 1:
        tables += [orderings.table(ablations.ORDERINGS, found, name) for name in _MEASURES]
    outcome.write(
        study.output, "small_study", tables=[text for text in tables if text], goals=[], raw=found
    )


def _records():
    if not _VIDEOS.value:
        return embedded.records()
    return ucf101_records.make(_VIDEOS.value, _ANNOTATIONS.value, _OUTPUT.value)


if __name__ == "__main__":
    app.run(main, flags_parser=commands.parse_flags)
