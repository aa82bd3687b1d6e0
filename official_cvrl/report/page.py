# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Puts the page together: reads a run, asks each part for its section, writes one HTML file."""

import os
from collections.abc import Sequence

from official_cvrl import errors, outputs
from official_cvrl.report import (
    comparison,
    confusions,
    document,
    embedding_map,
    events,
    facts,
    figures,
    headline,
    key_frames,
    neighbors,
    persons,
    results,
    retrieval,
    runs,
    view_figures,
    views_made,
)


def write(model_dir: str, output: str, *, max_train_videos: int = 2000) -> None:
    """Writes the page of a run; it appears whole or not at all.

    Args:
        model_dir: folder of a training run.
        output: the HTML file. It needs no other file and no network.
        max_train_videos: among so many training videos neighbours are sought, at most; 0 leaves
            neighbours out.

    Raises:
        UserError: no run there, or the output cannot be written.
    """
    run = runs.read(model_dir)
    outputs.refuse_unwritable(output)
    print(f"Reading {model_dir} …", flush=True)
    text = document.render(f"{run.name} · CVRL", *_sections(run, max_train_videos))
    with outputs.whole_file(output) as file:
        file.write(text.encode())


def write_comparison(model_dirs: Sequence[str], output: str) -> None:
    """Writes a page that shows several runs beside each other; it appears whole or not at all.

    Args:
        model_dirs: folders of training runs.
        output: the HTML file.

    Raises:
        UserError: no run there, too many of them, or the output cannot be written.
    """
    compared = comparison.read(model_dirs)
    outputs.refuse_unwritable(output)
    data = facts.read_data([member.run for member in compared])
    text = document.render(
        f"{len(compared)} runs · CVRL",
        comparison.header(compared),
        comparison.results(compared, data),
        comparison.curves(compared),
        comparison.settings(compared),
    )
    with outputs.whole_file(output) as file:
        file.write(text.encode())


def _sections(run: runs.Run, max_train_videos: int) -> Sequence[str]:
    train = events.read(os.path.join(run.model_dir, "train"))
    test = events.read(os.path.join(run.model_dir, "eval"))
    family = runs.family(run)
    data = facts.read_data(family)
    return [
        headline.header(run, family, train, data),
        results.section(run, family, data),
        confusions.section(run, family),
        figures.curves(run, train, test, data),
        figures.clips(train),
        *([_views_made(run)] if run.is_pretraining else []),
        *(_key_frames(run) if run.is_detection else _neighbors(run, max_train_videos)),
        facts.section(run, train, data),
    ]


def _key_frames(run):
    split = run.settings.value("experiment.run.test_split", "test")
    yield _or_missing(persons.TESTED, lambda: persons.tested(key_frames.tested(run), split=split))
    yield _or_missing(persons.AUGMENTED, lambda: persons.augmented(key_frames.augmented(run)))


def _or_missing(title, make):
    try:
        return make()
    except errors.UserError as error:
        return persons.missing(title, str(error))


def _views_made(run):
    try:
        return view_figures.section(views_made.read(run))
    except errors.UserError as error:
        return view_figures.missing(str(error))


def _neighbors(run, max_train_videos):
    if max_train_videos < 1:
        yield retrieval.missing("they were left out (--max_train_videos=0)")
        return
    try:
        gallery = neighbors.find(
            run.model_dir,
            run.info,
            train_split=run.settings.value("experiment.run.train_split", "train"),
            test_split=run.settings.value("experiment.run.test_split", "test"),
            max_train_videos=max_train_videos,
        )
    except errors.UserError as error:
        yield retrieval.missing(str(error))
        return
    yield retrieval.section(gallery)
    if gallery.laid_out:
        yield embedding_map.section(gallery.laid_out)
