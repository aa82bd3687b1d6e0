# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Trains and evaluates what a gin file describes: python train.py --gin_file=pretrain.gin."""

import functools
import itertools
import os
import shlex
import sys

from absl import app, flags, logging

from official_cvrl import commands, errors, experiment, gin_utils, trainer

_GIN_FILE = flags.DEFINE_multi_string(
    "gin_file", [], "Configuration; looked for here and in configs/. Repeat it to add overrides."
)
_GIN_PARAM = flags.DEFINE_multi_string(
    "gin_param", [], "One binding that overrides the files, such as 'Loop.train_steps = 100'."
)
_MODE = flags.DEFINE_enum(
    "mode", "train_and_eval", experiment.MODES, "What to do with the model in --model_dir."
)
_MODEL_DIR = flags.DEFINE_string(
    "model_dir", "", "Folder of the run. Default: runs/DATA/GIN_FILE, with DATA=embedded."
)
_DATA_DIR = flags.DEFINE_string(
    "data_dir", "", "Folder of shards made by tfrecords_tools.convert. Default: embedded data."
)
_PROFILE = flags.DEFINE_bool(
    "profile", False, "Write a TensorBoard profile of a few steps into the run's folder."
)

# What leaves the run's numbers what they are; see `gin_utils.save_operative_config`.
_MAY_CHANGE_IN_A_RUN = (
    "TRAIN_STEPS",
    "trainer.Loop",
    "experiment.run.mode",
    "experiment.run.model_dir",
    "experiment.run.data_dir",
    "experiment.run.data_service",
    "experiment.run.profile",
    "resnet_3d.ResNet3D.recompute",
    "runtime.Runtime.strategy",
    "runtime.Runtime.tpu",
    "runtime.Runtime.wait_minutes",
)


def main(arguments):
    """Runs the experiment; returns the exit code."""
    logging.set_verbosity(logging.WARNING)
    try:
        results = _run(arguments[1:])
    except errors.UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except trainer.Interrupted as interruption:
        # gin adds lines of its own to what passes through it.
        said = str(interruption).splitlines()[0]
        print(f"Interrupted: {said}. The same command goes on from there.", file=sys.stderr)
        return interruption.exit_code
    except KeyboardInterrupt:
        print(
            "Interrupted. The same command goes on from the last checkpoint, if any.",
            file=sys.stderr,
        )
        return 130
    for name, value in results.items():
        print(f"{name}: {value:.4f}")
    return 0


def _run(leftover):
    if leftover or not _GIN_FILE.value:
        _refuse_unquoted(leftover)
        raise errors.UserError(
            f"{' '.join(leftover) or 'nothing'} was given where --gin_file=NAME.gin is needed; "
            "configs/ holds pretrain.gin, linear_eval.gin, finetune.gin and others."
        )
    gin_utils.parse(_GIN_FILE.value, _GIN_PARAM.value)
    model_dir = _MODEL_DIR.value or _default_model_dir()

    print(f"Run folder: {model_dir} (tensorboard --logdir={shlex.quote(model_dir)})", flush=True)
    return gin_utils.configured(experiment.run)(
        mode=_MODE.value,
        model_dir=model_dir,
        data_dir=_DATA_DIR.value,
        profile=_PROFILE.value,
        on_built=gin_utils.check_all_used,
        save_config=functools.partial(
            gin_utils.save_operative_config, may_change=_MAY_CHANGE_IN_A_RUN
        ),
    )


def _refuse_unquoted(leftover):
    """Without its quotes a shell hands over `NAME = VALUE` as three words."""
    last = _GIN_PARAM.value[-1] if _GIN_PARAM.value else ""
    if leftover and last and (last.endswith("=") or leftover[0].startswith("=")):
        rest = itertools.takewhile(lambda word: not word.startswith("--"), leftover)
        raise errors.UserError(
            f"--gin_param={last} ends at the space behind it; put quotes around it: "
            f'--gin_param="{" ".join([last, *rest])}"'
        )


def _default_model_dir():
    data = os.path.basename(os.path.abspath(_DATA_DIR.value)) if _DATA_DIR.value else "embedded"
    stem = os.path.splitext(os.path.basename(_GIN_FILE.value[-1]))[0]
    return os.path.join("runs", data, stem)


if __name__ == "__main__":
    app.run(main, flags_parser=commands.parse_flags_and_paths)
