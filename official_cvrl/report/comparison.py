# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Several runs beside each other: their curves in one drawing, and the settings they differ in."""

import dataclasses
import os
from collections.abc import Mapping, Sequence

from official_cvrl import errors
from official_cvrl.report import curves as curves_lib
from official_cvrl.report import events, facts, figures, markup, measures, runs
from official_cvrl.report import results as results_lib

_OF_THE_FOLDER = ("experiment.run.model_dir", "experiment.run.mode")
_MOST = 8  # As many colours as can be told apart.


@dataclasses.dataclass(frozen=True)
class Member:
    """One of the runs.

    Attributes:
        run: what its folder says.
        name: the end of its folder's path that tells it from the others.
        class_: its colour in page.css.
        train: its training events.
        test: its evaluation events.
    """

    run: runs.Run
    name: str
    class_: str
    train: events.Events
    test: events.Events


def read(model_dirs: Sequence[str]) -> Sequence[Member]:
    """Reads runs.

    Raises:
        UserError: a folder holds no run, is named twice, or there are more runs than colours.
    """
    found = [runs.read(folder) for folder in model_dirs]
    folders = [run.model_dir for run in found]
    if len(set(folders)) < len(folders):
        raise errors.UserError("--model_dir names a run twice; give each once.")
    if len(found) > _MOST:
        raise errors.UserError(
            f"--model_dir names {len(found)} runs, and a page compares {_MOST} at most; "
            "python -m official_cvrl.sweep makes tables of any number."
        )
    above = os.path.commonpath(folders)
    return [
        Member(
            run,
            os.path.relpath(run.model_dir, above),
            f"c{number}",
            *(events.read(os.path.join(run.model_dir, part)) for part in ("train", "eval")),
        )
        for number, run in enumerate(found)
    ]


def header(members: Sequence[Member]) -> markup.Markup:
    """Returns the title, and which colour is whose."""
    listed = [
        markup.element(
            "li",
            markup.breakable(member.name),
            markup.element("small", f" {member.run.describe()}: {facts.model(member.run)}"),
            class_=member.class_,
        )
        for member in members
    ]
    return markup.element(
        "header",
        markup.element("p", "Comparison", class_="kind"),
        markup.element("h1", f"{len(members)} runs"),
        markup.element("ul", *listed, class_="legend"),
    )


def results(members: Sequence[Member], data: Mapping[str, facts.Data]) -> markup.Markup:
    """Returns the table of results; `data` is what `facts.read_data` returned."""
    shown = {
        member.run.model_dir: results_lib.Shown(member.name, member.class_) for member in members
    }
    compared = [member.run for member in members]
    return results_lib.section(compared[0], compared, data, shown=shown)


def curves(members: Sequence[Member]) -> markup.Markup:
    """Returns a chart for each scalar that two of the runs wrote more than once.

    Accuracy among the views of a batch is not drawn with that among classes.
    """
    lines = {}
    for member in members:
        for tag, series in _scalars(member).items():
            measure = measures.describe(tag, contrastive=member.run.is_pretraining)
            line = curves_lib.Line(series, member.name, member.class_)
            lines.setdefault((figures.place(tag), measure), []).append(line)
    charts = [
        _chart(measure, lines[place, measure])
        for place, measure in sorted(lines, key=lambda key: (key[0], key[1].title))
        if len(lines[place, measure]) > 1
    ]
    if not charts:
        return markup.section("Curves", "There is no scalar that two of the runs wrote down twice.")
    return markup.section(
        "Curves",
        "Point at a curve, or use the arrow keys, to read all of them.",
        markup.element("div", *charts, class_="charts"),
    )


def settings(members: Sequence[Member]) -> markup.Markup:
    """Returns a table of what is bound unlike in the runs' config.gin."""
    bound = [member.run.settings.bindings() for member in members]
    names = sorted({name for bindings in bound for name in bindings})
    unlike = [
        name
        for name in names
        if name not in _OF_THE_FOLDER and len({bindings.get(name) for bindings in bound}) > 1
    ]
    if not unlike:
        return markup.section("Settings", "All runs have the same.")
    heads = [markup.element("th", markup.breakable(member.name), scope="col") for member in members]
    rows = [
        markup.element(
            "tr",
            markup.element("th", markup.breakable(name), scope="row"),
            *(markup.element("td", bindings.get(name, "–")) for bindings in bound),
        )
        for name in unlike
    ]
    table = markup.element(
        "table",
        markup.element("thead", markup.element("tr", markup.element("th", "Binding"), *heads)),
        markup.element("tbody", *rows),
    )
    caption = f"What the runs differ in; {len(names) - len(unlike)} others are the same."
    return markup.section("Settings", caption, markup.element("div", table, class_="wide settings"))


def _scalars(member):
    """Its curves by tag; those of testing win, as no tag is in both."""
    everything = {**member.train.scalars, **member.test.scalars}
    left_out = figures.hidden(everything)
    return {
        tag: series
        for tag, series in everything.items()
        if tag not in left_out and len(series.steps) > 1 and series.values.any()
    }


def _chart(measure, lines):
    return markup.element(
        "figure",
        markup.element("h3", markup.element("span", measure.title), markup.element("output")),
        curves_lib.chart(lines, measure),
        markup.element("figcaption", measure.caption),
        class_="chart several",
    )
