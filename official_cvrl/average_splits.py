# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The mean over the splits of UCF-101 or HMDB-51 (tables 4 and 10), a run of training for each.

Such as: python -m official_cvrl.average_splits runs/UCF101_SPLIT*/table4_ucf101_k400
"""

import dataclasses
import os
import statistics
from collections.abc import Mapping, Sequence

from absl import app

from official_cvrl import commands, errors, run_info

_MEAN = "mean"


def table(model_dirs: Sequence[str]) -> Mapping[str, Mapping[str, float]]:
    """Returns the measures of each run, by its data's folder, and last their "mean".

    Args:
        model_dirs: folders of runs that were evaluated, each on another split of one data set.

    Raises:
        UserError: there are fewer than two, one is no such run or was
            trained further since its evaluation, or they were not trained alike.
    """
    if len(model_dirs) < 2:
        raise errors.UserError(
            f"{' '.join(model_dirs) or 'nothing'} was given where the folders of several runs are "
            "needed, one for each split."
        )
    rows, first = {}, None
    for model_dir in model_dirs:
        info, results = _evaluated(model_dir)
        if info.data_dir in rows:
            raise errors.UserError(
                f"{model_dir} is on {info.data_dir}, as another of the runs is; give one run for "
                "each split."
            )
        first = first or info
        if set(first.label_names) != set(info.label_names):
            raise errors.UserError(
                f"{model_dir} knows other classes than {model_dirs[0]}: they are no splits of one "
                "data set."
            )
        _refuse_another_kind(first, info, model_dirs[0], model_dir)
        rows[info.data_dir] = results
    shared = set.intersection(*(set(results) for results in rows.values()))
    kept = {
        data_dir: {name: value for name, value in results.items() if name in shared}
        for data_dir, results in rows.items()
    }
    means = {
        name: statistics.mean(results[name] for results in kept.values())
        for name in next(iter(kept.values()))
    }
    return kept | {_MEAN: means}


def _refuse_another_kind(first, info, first_dir, model_dir):
    before, now = _kind(first), _kind(info)
    for name, value in before.items():
        if now.get(name, value) != value:
            raise errors.UserError(
                f"{model_dir} is a run of another kind than {first_dir}: {name} is {now[name]}, "
                f"not {value}."
            )


def _kind(info):
    """What runs of one mean have in common; earlier versions did not tell all of it."""
    clip = dataclasses.asdict(info.clip) if info.clip else {}
    tables = {
        "backbone": run_info.architecture(info.backbone),
        "classifier": run_info.architecture(info.classifier or {}),
        "clip": clip,
    }
    found = {
        f"{table}.{name}": value
        for table, values in tables.items()
        for name, value in values.items()
    }
    return found | ({} if info.frozen is None else {"frozen": info.frozen})


def shown(rows: Mapping[str, Mapping[str, float]]) -> str:
    """Returns what `table` found, a line a split, in percent."""
    names = list(rows[_MEAN])
    places = {data_dir: os.path.basename(data_dir.rstrip("/")) for data_dir in rows}
    width = max(map(len, places.values()))
    lines = [f"{'':{width}}" + "".join(f"{name:>10}" for name in names)]
    lines += [
        f"{places[data_dir]:{width}}" + "".join(f"{results[name]:>10.1%}" for name in names)
        for data_dir, results in rows.items()
    ]
    return "\n".join(lines)


def _evaluated(model_dir):
    info, results = run_info.read(model_dir), run_info.read_results(model_dir)
    if info is None or not results:
        raise errors.UserError(
            f"{model_dir} holds no evaluated run; give the --model_dir of one that is finished, or "
            "evaluate it with train.py --mode=eval."
        )
    if (step := run_info.outdated_step(model_dir)) is not None:
        raise errors.UserError(
            f"{model_dir} was evaluated at step {step}, and its newest checkpoint is another; "
            "let it finish, or evaluate it with train.py --mode=eval."
        )
    return info, results


def main(arguments):
    """Prints the table; returns the exit code."""
    return commands.exit_code(
        lambda: print(shown(table(arguments[1:]))), interrupted="Interrupted."
    )


if __name__ == "__main__":
    app.run(main, flags_parser=commands.parse_flags_and_paths)
