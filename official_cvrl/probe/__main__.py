# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What frozen embeddings are worth: retrieval, kNN and a linear probe, of a run or a SavedModel.

Such as: python -m official_cvrl.probe --model_dir=runs/embedded/pretrain
"""

import dataclasses
import os
from collections.abc import Sequence

from absl import app, flags

from official_cvrl import commands, embedded, errors, filesystems, manifest, outputs, run_info
from official_cvrl.probe import linear, measures, models, results, table


def run(given: flags.FlagValues) -> int:
    """Measures what the flags name; returns the exit code."""
    return commands.exit_code(
        lambda: _probe(given),
        interrupted="Interrupted; embeddings of splits that were done are kept.",
    )


def _probe(given):
    _refuse_contradictions(given)
    asked, output = _asked(given), _output(given)
    data_dirs = [filesystems.absolute(folder) for folder in _data_dirs(given)]
    splits = (given.train_split, given.test_split)
    _refuse_unlabelled(data_dirs, splits)
    model = _model(given)
    _make(output)
    _tell_replaced(output, data_dirs)
    found = {folder: _measured(model, folder, splits, output, asked) for folder in data_dirs}
    settings = {
        "model": model.name,
        "num_clips": given.num_clips,
        "num_crops": given.num_crops,
        "splits": splits,
        "asked": dataclasses.asdict(asked),
    }
    print(results.write(output, found, settings=settings))
    print(f"Results: {os.path.join(output, results.JSON)}; {results.MARKDOWN} beside it.")


def _measured(model, data_dir, splits, output, asked):
    train, test = (
        table.kept(
            output,
            manifest.find_shards(data_dir, split),
            model.made_of,
            lambda split=split: model.embed(data_dir, split),
        )
        for split in splits
    )
    num_classes = len(manifest.read_labels(data_dir))
    return measures.measure(train, test, num_classes=num_classes, asked=asked)


def _refuse_contradictions(given):
    if bool(given.model_dir) == bool(given.saved_model):
        raise errors.UserError("give one of --model_dir=RUN and --saved_model=DIR.")
    if given.checkpoint and not given.model_dir:
        raise errors.UserError("--checkpoint goes with --model_dir=RUN, whose clips it is given.")
    if given.train_split == given.test_split:
        raise errors.UserError(
            f"--train_split and --test_split are both {given.train_split!r}: each video would find "
            "itself."
        )


def _asked(given):
    unknown = set(given.measures) - set(measures.KINDS)
    if unknown or not given.measures:
        raise errors.UserError(
            f"--measures={','.join(given.measures)} must be some of {', '.join(measures.KINDS)}."
        )
    return measures.Asked(
        kinds=given.measures,
        num_neighbors=given.num_neighbors,
        strengths=_strengths(given.l2),
        scaling=given.scaling,
    )


def _strengths(texts: Sequence[str]) -> Sequence[float]:
    try:
        found = [float(text) for text in texts]
    except ValueError:
        found = []
    if not found or not all(0 < strength < float("inf") for strength in found):
        raise errors.UserError(f"--l2={','.join(texts)} must be positive numbers, as in 1e-2,1e-4.")
    return found


def _model(given):
    views = models.Views(num_clips=given.num_clips, num_crops=given.num_crops)
    if given.saved_model:
        return models.SavedModel(given.saved_model, chosen_views=views)
    return models.Run(given.model_dir, checkpoint=given.checkpoint, chosen_views=views)


def _output(given):
    output = given.output
    if not output and given.model_dir:
        if given.checkpoint:
            raise errors.UserError(
                "give --output=DIR with --checkpoint; probe/ in the run's folder is for its own "
                "weights."
            )
        output = os.path.join(models.run_folder(given.model_dir), "probe")
    if not output or filesystems.scheme(output):
        raise errors.UserError("give --output=DIR, a local folder for results and embeddings.")
    if run_info.read(output) is not None:
        raise errors.UserError(
            f"--output={output} is a run's folder and has results of its own; give another."
        )
    return output


def _data_dirs(given):
    if given.data_dir:
        _refuse_twice(given.data_dir)
        return given.data_dir
    info = run_info.read(models.run_folder(given.model_dir)) if given.model_dir else None
    return [info.data_dir if info else embedded.records()]


def _refuse_twice(folders):
    """A mean over two of one folder is none."""
    places = [filesystems.absolute(folder).rstrip("/") for folder in folders]
    for folder, place in zip(folders, places, strict=True):
        if places.count(place) > 1:
            raise errors.UserError(f"--data_dir={folder} is given twice; give each folder once.")


def _refuse_unlabelled(data_dirs, splits):
    """Looks at all of them before hours of embedding."""
    for folder in data_dirs:
        for split in splits:
            manifest.find_shards(folder, split)
        if not manifest.read_labels(folder):
            raise errors.UserError(f"{folder} has no labels.txt, and without classes no measure.")


def _make(output):
    try:
        os.makedirs(output, exist_ok=True)
    except OSError as error:
        raise errors.UserError(f"--output={output} cannot be made: {error.strerror}.") from error
    outputs.refuse_unwritable(os.path.join(output, results.JSON), setting="--output=DIR")


def _tell_replaced(output, data_dirs):
    """Tells before the work, while there is time to give another folder."""
    replaced = [folder for folder in results.measured(output) if folder not in data_dirs]
    if replaced:
        print(
            f"Replaces the results of {', '.join(replaced)} in {output}; give another --output to "
            "keep them.",
            flush=True,
        )


def define_flags(values: flags.FlagValues) -> None:
    """Other commands have flags of the same names, so a mere import defines none here."""
    views, asked = models.Views(), measures.Asked()
    texts = {
        "model_dir": ("", "Folder of a run, or one of its checkpoints."),
        "checkpoint": ("", "Other weights for the run's backbone: what run.pretrained takes."),
        "saved_model": ("", "Or a folder that serving.export wrote."),
        "train_split": ("train", "Where neighbours are sought and the probe learns."),
        "test_split": ("test", "What is asked for."),
        "output": (
            "",
            "Folder for results and embeddings. Default without --checkpoint: RUN/probe.",
        ),
    }
    for name, (default, said) in texts.items():
        flags.DEFINE_string(name, default, said, flag_values=values)
    numbers = {
        "num_clips": (views.num_clips, "Clips spread evenly over each video."),
        "num_crops": (views.num_crops, "Crops of each clip."),
        "num_neighbors": (asked.num_neighbors, "Neighbours that vote in kNN."),
    }
    for name, (default, said) in numbers.items():
        flags.DEFINE_integer(name, default, said, lower_bound=1, flag_values=values)
    flags.DEFINE_multi_string(
        "data_dir",
        [],
        "Folder of shards; repeat it for a mean, as over three splits. Default: the run's own, or "
        "the embedded data.",
        flag_values=values,
    )
    flags.DEFINE_list(
        "measures", list(asked.kinds), "Some of retrieval, knn, linear.", flag_values=values
    )
    flags.DEFINE_list(
        "l2",
        [f"{strength:g}" for strength in asked.strengths],
        "Regularisations of the linear probe; a held-out fifth of the training videos chooses.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "scaling",
        asked.scaling,
        linear.SCALINGS,
        "Of embeddings, before the linear probe.",
        flag_values=values,
    )


if __name__ == "__main__":
    define_flags(flags.FLAGS)
    app.run(lambda _: run(flags.FLAGS), flags_parser=commands.parse_flags)
