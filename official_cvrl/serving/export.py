# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Writes a run's model as a SavedModel that plain TensorFlow, or TF Serving, loads.

Such as: python -m official_cvrl.serving.export --model_dir=RUN --output=saved_model
"""

import dataclasses
import os
import pathlib

import tensorflow as tf
from absl import app, flags, logging

from official_cvrl import checkpoints, commands, errors, filesystems, manifest, run_info
from official_cvrl.data import clip_format
from official_cvrl.serving import model_card, samples, signatures, trial, versions, warmup

# By name, Keras's policy; variables stay float32 under the second.
DTYPES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """How a model is exported.

    Attributes:
        checkpoint: whose weights: a checkpoint of the run, or any that `checkpoints.load_backbone`
            reads if no classifier is wanted; "" for the newest of the run.
        version: number of the new version; 0 for the one after the last.
        dtype: "float32" or "bfloat16", what convolutions are computed in; "" as in training.
        xla: whether the model is compiled with XLA, once for each batch size.

    Raises:
        ValueError: a negative version, or another dtype.
    """

    checkpoint: str = ""
    version: int = 0
    dtype: str = ""
    xla: bool = False

    def __post_init__(self):
        if self.version < 0:
            raise ValueError(f"version={self.version} must not be negative.")
        if self.dtype and self.dtype not in DTYPES:
            raise ValueError(f"dtype={self.dtype!r} must be one of {', '.join(DTYPES)}.")


def export(model_dir: str, output: str, *, options: Options | None = None) -> str:
    """Exports a checkpoint of a run as a version in a folder; see `signatures.Signatures`.

    Args:
        model_dir: folder of a training run.
        output: folder of versions, 1, 2, …, local or remote; see `versions.new`.
        options: how.

    Returns:
        The folder of the new version. It appears whole or not at all, and not before plain
        TensorFlow has loaded it and answered as the model does here.

    Raises:
        UserError: no run or checkpoint there, a classifier without its labels, the version is
            there already, or the output cannot be written.
        TryAgain: another export took the version's number meanwhile.
    """
    options = options or Options()
    info = run_info.read_trained(model_dir)
    with versions.new(output, number=options.version) as version:
        _write(model_dir, info, options, version)
    return version.target


def _write(model_dir, info, options, version):
    module, checkpoint = _load(model_dir, info, options, version)
    requests = samples.requests(info.clip)
    with version.writable():
        _save(version.model, module, requests, clip=info.clip, name=model_card.name_of(model_dir))
    print(f"{checkpoint} is written; plain TensorFlow tries it:", flush=True)
    try:
        seconds = trial.check(version.model, module, requests, scratch=version.scratch)
    except trial.TrialError as error:
        raise errors.UserError(f"The SavedModel is not as it should be: {error}.") from error
    card = model_card.text(
        version.model,
        model_dir=model_dir,
        info=info,
        checkpoint=checkpoint,
        signatures=module,
        seconds=seconds,
    )
    with version.writable():
        pathlib.Path(version.model, model_card.FILE).write_text(card, encoding="utf-8")


def _save(folder, module, requests, *, clip, name):
    """The model, and what a server and `extract` find beside it."""
    tf.saved_model.save(module, folder, signatures=dict(module.functions))
    warmup.write(folder, requests, model_name=name)
    pathlib.Path(folder, clip_format.SERVED_FILE).write_text(clip.to_json() + "\n")


def _load(model_dir, info, options, version):
    """The signatures with the weights of a checkpoint, and its path."""
    policy = DTYPES.get(options.dtype)
    backbone, checkpoint = run_info.load_backbone(
        options.checkpoint or model_dir, info, dtype=policy
    )
    classifier, label_file = None, ""
    if info.classifier is not None:
        label_file = _write_labels(model_dir, info, version)
        classifier = run_info.load_classifier(
            checkpoint, info, embedding_dim=backbone.embedding_dim, dtype=policy
        )
    elif checkpoints.holds(checkpoint, "classifier"):
        raise errors.UserError(
            f"{checkpoint} holds a classifier that {model_dir}/run.json does not describe: an "
            "earlier version of this package made it. Run its --mode=train once more; a run that "
            "is finished is only described anew."
        )
    module = signatures.Signatures(
        backbone, clip=info.clip, classifier=classifier, label_file=label_file, xla=options.xla
    )
    return module, checkpoint


def _write_labels(model_dir, info, version):
    names, count = info.label_names, info.classifier["num_classes"]
    if len(names) != count:
        raise errors.UserError(
            f"{model_dir}/run.json names {len(names)} labels for a classifier of {count} classes; "
            f"see that {info.data_dir}/{manifest.LABELS_NAME} is what it was trained with, and run "
            "its --mode=train once more."
        )
    with version.writable():
        manifest.write_labels(version.scratch, names)
    return os.path.join(version.scratch, manifest.LABELS_NAME)


def run(given: flags.FlagValues) -> int:
    """Exports what the flags name; returns the exit code."""
    # Trying it takes no GPU, and TensorFlow would take all of its memory from who trains on it.
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    # Saving warns of functions that are not part of a signature, as they need not be.
    logging.set_verbosity(logging.ERROR)
    tf.get_logger().setLevel("ERROR")
    return commands.exit_code(
        lambda: _export(given), interrupted="Interrupted; nothing was exported."
    )


def _export(given):
    if not given.model_dir or not given.output:
        raise errors.UserError("give --model_dir=RUN and --output=DIR")
    if filesystems.scheme(given.output) == "ram":
        raise errors.UserError(
            f"{given.output} is memory that ends with this command; give a folder for --output."
        )
    options = Options(
        checkpoint=given.checkpoint, version=given.version, dtype=given.dtype, xla=given.xla
    )
    print(f"SavedModel: {export(given.model_dir, given.output, options=options)}")


def define_flags(values: flags.FlagValues) -> None:
    """Other commands have flags of the same names, so a mere import defines none here."""
    flags.DEFINE_string("model_dir", None, "Folder of a training run.", flag_values=values)
    flags.DEFINE_string(
        "output", None, "Where OUTPUT/VERSION/saved_model.pb goes.", flag_values=values
    )
    flags.DEFINE_string(
        "checkpoint",
        "",
        "Whose weights: a checkpoint of the run; its newest if not given.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "version",
        0,
        "Number of the version; 0: the next.",
        lower_bound=0,
        flag_values=values,
    )
    flags.DEFINE_enum(
        "dtype",
        "",
        ["", *DTYPES],
        "Convolutions are computed in it; not given: as in training.",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "xla",
        False,
        "Compile the model with XLA, once for each batch size.",
        flag_values=values,
    )


if __name__ == "__main__":
    define_flags(flags.FLAGS)
    app.run(lambda _: run(flags.FLAGS), flags_parser=commands.parse_flags)
