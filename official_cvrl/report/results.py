# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The table of results: this run, the runs beside it that belong to it, and chance."""

import dataclasses
from collections.abc import Mapping, Sequence

from official_cvrl import checkpoints
from official_cvrl.report import facts, markup, measures, runs


@dataclasses.dataclass(frozen=True)
class Shown:
    """How a run is told from others: by its name, and by a colour, its class in page.css."""

    name: str
    class_: str | None = None


def section(
    run: runs.Run,
    family: Sequence[runs.Run],
    data: Mapping[str, facts.Data],
    *,
    shown: Mapping[str, Shown] | None = None,
) -> markup.Markup:
    """Returns a table for each data set that the family was evaluated on.

    Args:
        run: whose page it is; its data come first.
        family: see `runs.family`.
        data: see `facts.read_data`.
        shown: by folder; runs that are not in it are called by their folder's name alone, and left
            out where they have no results.
    """
    shown = shown or {}
    evaluated = [member for member in family if member.results or member.model_dir in shown]
    folders = dict.fromkeys([run.info.data_dir, *(member.info.data_dir for member in evaluated)])
    tables = []
    for folder in folders:
        rows = [member for member in evaluated if member.info.data_dir == folder]
        if any(row.results for row in rows):
            where = f" of {facts.data_name(folder)}" if len(folders) > 1 else ""
            tables += [
                _caption(where, data[folder], rows),
                _table(rows, data[folder], shown),
            ]
        elif rows:
            tables += [
                markup.element("p", f"{shown[row.model_dir].name}: {_why_none(row, data[folder])}")
                for row in rows
            ]
    if not tables:
        tables = [markup.element("p", _why_none(run, data[run.info.data_dir], family))]
    return markup.element("section", markup.element("h2", "Results"), *tables)


def _why_none(run, data, family=()):
    if data.is_unlabelled:
        return (
            f"Nothing can be measured on {facts.data_name(run.info.data_dir)}: its records have no "
            "labels. python -m official_cvrl.probe measures this run's backbone on records that "
            "have: give it --model_dir=RUN and --data_dir=LABELLED_RECORDS."
        )
    if any(checkpoints.newest_whole(member.model_dir) for member in (run, *family)):
        return "Nothing was evaluated yet: train.py with --mode=eval does it."
    return (
        "Nothing was evaluated yet: no checkpoint is there, so train first, with the command that "
        "began the run."
    )


def _caption(where, data, rows):
    if {tag for row in rows for tag in row.results} == {"frame_map"}:
        return markup.element("p", f"{measures.describe('frame_map').caption[:-1]}{where}.")
    chance = f"; chance is a guess among {data.num_classes:,} classes" if data.num_classes else ""
    return markup.element("p", f"How often each is right on the test videos{where}{chance}.")


def _table(rows, data, shown):
    tags = sorted({tag for row in rows for tag in row.results}, key=_place)
    heads = [markup.element("th", measures.describe(tag).title, scope="col") for tag in tags]
    lines = [
        _line(shown.get(row.model_dir, Shown(row.name)), _description(row, data), row.results, tags)
        for row in rows
    ]
    chance = {tag: measures.guess(tag, num_classes=data.num_classes) for tag in tags}
    known = {tag: value for tag, value in chance.items() if value is not None}
    if known:
        lines.append(_line(Shown("Chance", "chance"), "", known, tags))
    table = markup.element(
        "table",
        markup.element(
            "thead", markup.element("tr", markup.element("th", "Run", scope="col"), *heads)
        ),
        markup.element("tbody", *lines),
    )
    return markup.element("div", table, class_="wide")


def _description(run, data):
    if not run.results:
        return f"{run.describe()}. {_why_none(run, data)}"
    if run.outdated_step is None:
        return run.describe()
    return f"{run.describe()}; of its step {run.outdated_step:,}, not of its newest checkpoint"


def _place(tag):
    known = ("top1", "top5", "knn_top1")
    return (known.index(tag) if tag in known else len(known), tag)


def _line(shown, description, results, tags):
    small = [markup.element("small", description)] if description else []
    cells = [_cell(tag, results.get(tag)) for tag in tags]
    return markup.element(
        "tr",
        markup.element("th", markup.breakable(shown.name), *small, scope="row"),
        *cells,
        class_=shown.class_,
    )


def _cell(tag, value):
    if value is None:
        return markup.element("td", "–")
    measure = measures.describe(tag)
    bar = [_bar(value)] if measure.is_share else []
    return markup.element("td", measure.shown(value), *bar)


def _bar(share):
    rects = [
        markup.element("rect", width=round(width, 2), height=4)
        for width in (100, 100 * min(max(share, 0), 1))
    ]
    return markup.element(
        "svg", *rects, viewBox="0 0 100 4", preserveAspectRatio="none", aria_hidden="true"
    )
