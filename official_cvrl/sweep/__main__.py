# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
r"""Runs a table: train.py for each combination of settings, then the table and a picture of it.

Such as:

    python -m official_cvrl.sweep --gin_file=pretrain.gin --then=linear_eval.gin \
        --grid="SEED = [0, 1, 2]" --output=runs/seeds
"""

import json
import os
import shlex
import sys
from collections.abc import Callable, Sequence

from absl import app, flags

from official_cvrl import commands, errors, filesystems, outputs, result_names, run_info
from official_cvrl.sweep import bindings, cells, grid, table

_SETTINGS, _MARKDOWN, _JSON, _PICTURE = "sweep.json", "results.md", "results.json", "results.svg"


def run(
    given: flags.FlagValues,
    *,
    train: str = cells.TRAIN,
    refuse: Callable[[Sequence[cells.Cell]], None] = bindings.refuse,
) -> int:
    """Runs what the flags name; returns the exit code: 1 if a cell failed.

    Args:
        given: the flags.
        train: see `cells.Sweep`.
        refuse: looks at all cells before the first, and raises what `train` would.
    """
    return commands.exit_code(
        lambda: _sweep(given, train, refuse),
        interrupted="Interrupted; the same command goes on from there.",
    )


def _sweep(given, train, refuse):
    _refuse_incomplete(given)
    every, first, then = (
        grid.parse(texts) for texts in (given.grid, given.first_grid, given.then_grid)
    )
    _refuse_twice([*every, *first, *then])
    planned = _cells(given, every, first, then)
    refuse(planned)
    _begin(given, planned)
    sweep = cells.Sweep(given.output, data_dir=given.data_dir, train=train)
    rows = sweep.run(planned)
    missing = len(planned) - sum(map(len, rows.values()))
    if missing < len(planned):
        print(f"\n{_write(given, rows, num_classes=sweep.num_classes(planned))}")
    if missing:
        print(f"{missing} of {len(planned)} cells failed, see above; the same command tries again.")
    return 1 if missing else 0


def _refuse_incomplete(given):
    if not given.gin_file or not given.output:
        raise errors.UserError(
            'give --gin_file=NAME.gin, --output=DIR and a grid, as in --grid="SEED = [0, 1, 2]".'
        )
    if filesystems.scheme(given.output):
        raise errors.UserError(f"--output={given.output} must be a local folder.")
    if run_info.read(given.output) is not None:
        raise errors.UserError(
            f"--output={given.output} is a run's folder and has results of its own; give another."
        )
    if given.then and _stem(given.then) == _stem(given.gin_file):
        raise errors.UserError("--then and --gin_file must be of two names; so are their runs.")
    if not given.then and (given.then_grid or given.then_param):
        raise errors.UserError("--then_grid and --then_param are for the gin file of --then.")


def _refuse_twice(axes):
    names = [axis.name for axis in axes]
    if twice := {name for name in names if names.count(name) > 1}:
        raise errors.UserError(f"{twice.pop()} is in two grids; one of them has to do.")


def _cells(given, every, first, then) -> Sequence[cells.Cell]:
    made, then_names = [], [axis.name for axis in then]
    of_first = {axis.name for axis in first}
    for point in grid.points([*every, *first, *then]):
        begun = grid.Point(tuple(pair for pair in point.values if pair[0] not in then_names))
        stages = [_stage(given.gin_file, begun, [*given.gin_param, *given.first_param])]
        if given.then:
            ended = [f"{n} = {v}" for n, v in point.values if n not in of_first]
            own = [*given.gin_param, *given.then_param]
            stages.append(_stage(given.then, point, own, params=ended))
        made.append(cells.Cell(point.without(given.over).label, point.label, stages))
    return made


def _stage(gin_file, point, given_params, params=None):
    own = point.params if params is None else params
    return cells.Stage(gin_file, f"{point.folder}_{_stem(gin_file)}", [*given_params, *own])


def _stem(gin_file):
    return os.path.splitext(os.path.basename(gin_file))[0]


def _begin(given, planned):
    """Keeps what all cells share, so that no folder ever holds cells of different settings."""
    shared = {
        name: getattr(given, name)
        for name in ("gin_file", "then", "gin_param", "first_param", "then_param", "data_dir")
    }
    path = os.path.join(given.output, _SETTINGS)
    try:
        with open(path, encoding="utf-8") as file:
            before = json.load(file)
    except OSError:
        before = shared
    except ValueError as error:
        raise errors.UserError(f"{path} is broken: {error}. Give another --output.") from error
    for name, value in shared.items():
        if before.get(name) != value:
            raise errors.UserError(
                f"{given.output} holds a sweep with --{name}={before.get(name)}, not {value}. Give "
                "another --output; more values in a grid are no reason for one."
            )
    try:
        os.makedirs(given.output, exist_ok=True)
    except OSError as error:
        raise errors.UserError(
            f"--output={given.output} cannot be made: {errors.words(error)}."
        ) from error
    run_info.write_json(path, shared)
    print(f"{len(planned)} cells; what each says is in {given.output}/*.log", flush=True)


def _write(given, rows, *, num_classes):
    columns = table.measures(rows)
    text = table.markdown(rows, first="settings", columns=columns)
    run_info.write_json(os.path.join(given.output, _JSON), rows)
    command = shlex.join(["python", "-m", "official_cvrl.sweep", *sys.argv[1:]])
    titles = ", ".join(map(result_names.title, columns))
    page = f"`{command}`\n\n{text}\n\n![{titles}]({_PICTURE})\n"
    picture = table.picture(rows, columns=columns, num_classes=num_classes)
    files = {_MARKDOWN: page, _PICTURE: picture}
    for name, content in files.items():
        with outputs.whole_file(os.path.join(given.output, name), setting="--output=DIR") as file:
            file.write(content.encode())
    places = ", ".join(os.path.join(given.output, name) for name in (*files, _JSON))
    return f"{text}\n\nTable: {places}"


def define_flags(values: flags.FlagValues) -> None:
    """Other commands have flags of the same names, so a mere import defines none here."""
    texts = {
        "gin_file": (None, "What each cell trains; found in configs/, too."),
        "then": ("", "Gin file of a second run, which begins with the first one's backbone."),
        "output": (None, "Folder for the runs and the table."),
        "data_dir": ("", "Folder of shards. Default: embedded data."),
        "over": ("SEED", "The axis over whose values mean and spread are taken."),
    }
    for name, (default, said) in texts.items():
        flags.DEFINE_string(name, default, said, flag_values=values)
    lists = {
        "grid": 'An axis, of both gin files: "SEED = [0, 1, 2]". Repeat it for more.',
        "first_grid": "An axis of --gin_file alone.",
        "then_grid": "An axis of --then alone.",
        "gin_param": "One binding for every run.",
        "first_param": "One binding for --gin_file alone.",
        "then_param": "One binding for --then alone.",
    }
    for name, said in lists.items():
        flags.DEFINE_multi_string(name, [], said, flag_values=values)


if __name__ == "__main__":
    define_flags(flags.FLAGS)
    app.run(lambda _: run(flags.FLAGS), flags_parser=commands.parse_flags)
