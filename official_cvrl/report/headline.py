# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The top of the page: which run this is, and the numbers one looks for first."""

from collections.abc import Mapping, Sequence

from official_cvrl.report import events, facts, markup, measures, runs

_MOST_TILES = 4


def header(
    run: runs.Run, family: Sequence[runs.Run], train: events.Events, data: Mapping[str, facts.Data]
) -> markup.Markup:
    """Returns title and tiles.

    Args:
        run: whose page it is.
        family: see `runs.family`.
        train: its training events.
        data: see `facts.read_data`.
    """
    tiles = [*_evaluations(run, family, data), *_training(run, train, data)]
    about = f"{run.describe()}: {facts.model(run)} on {facts.data_name(run.info.data_dir)}"
    return markup.element(
        "header",
        markup.element("p", about, class_="kind"),
        markup.element("h1", markup.breakable(run.name)),
        markup.element("div", *tiles[:_MOST_TILES], class_="tiles"),
    )


def _evaluations(run, family, data):
    """The first result of each measure: the run's own, or that of an evaluation beside it."""
    candidates = runs.tested_as(run, family)
    for tag in ("top1", "knn_top1", "frame_map"):
        holder = next((other for other in candidates if tag in other.results), None)
        if holder:
            measure = measures.describe(tag)
            value = measure.shown(holder.results[tag])
            whose = _whose(holder, run)
            yield _tile(f"{measure.title}{whose}", value, _beside(tag, holder, family, data))


def _whose(holder, run):
    if holder is not run:
        return f", {holder.name}"
    return "" if run.outdated_step is None else f" at step {run.outdated_step:,}"


def _beside(tag, holder, family, data):
    """What a result is to be held against."""
    measure, data_dir = measures.describe(tag), holder.info.data_dir
    compared = {}
    for other in family:
        if (
            other is not holder
            and (holder.origin or holder.is_pretraining)
            and other.is_classification
            and not other.origin
            and other.is_current
            and other.info.data_dir == data_dir
            and other.train_subset == holder.train_subset
            and tag in other.results
        ):
            name = "random weights" if other.is_frozen else "trained from scratch"
            compared.setdefault(name, other.results[tag])
    if chance := measures.guess(tag, num_classes=data[data_dir].num_classes):
        compared["chance"] = chance
    return ", ".join(f"{name} {measure.shown(value)}" for name, value in compared.items())


def _training(run, train, data):
    series = train.scalars.get("accuracy")
    if series:
        measure = measures.describe("accuracy", contrastive=run.is_pretraining)
        chance = measures.guess(
            "accuracy",
            num_classes=data[run.info.data_dir].num_classes,
            num_candidates=facts.num_candidates(run),
        )
        below = f"chance {measure.shown(chance)}" if chance else "at the end"
        yield _tile(measure.title, measure.shown(series.values[-1]), below)
    if train.scalars:
        rate = facts.clips_per_second(train)
        speed = f", {rate} clips a second" if rate else ""
        yield _tile("Steps", f"{facts.num_steps(train):,}", facts.duration(train.seconds) + speed)


def _tile(title, value, below):
    return markup.element(
        "div",
        markup.element("small", markup.breakable(title)),
        markup.element("b", value),
        markup.element("small", below),
        class_="tile",
    )
