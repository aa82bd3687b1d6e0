# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A run and its SavedModel, written by one stack and read by the other; .ci/stacks calls it.

    python -m tests.exchange write FOLDER
    python -m tests.exchange read FOLDER    # with the other stack

What was written is a pre-training run and a linear evaluation, a SavedModel of the latter, and what
both answered on the same clips. What is read has to give the same answers, and the run goes on.
"""

import os
import pathlib
import sys

import official_cvrl  # noqa: F401  isort: skip  (selects legacy Keras before TensorFlow is imported)
import numpy as np
import tensorflow as tf

from official_cvrl import run_info
from official_cvrl.serving import local
from tests.e2e import conftest

_STEPS, _MORE = 6, 3
_EXPECTED = "expected.npz"
# Of the largest value. The stacks' convolutions sum in different orders; float32 rounds at 1e-7.
_TOLERANCE = 1e-5


def _clips():
    return np.random.default_rng(0).integers(0, 255, [4, 4, 16, 16, 3], np.uint8)


def _answers(folder):
    """What the checkpoint's backbone and the SavedModel say of the clips, by name."""
    clips, run = _clips(), os.path.join(folder, "linear_eval")
    backbone, _ = run_info.load_backbone(run, run_info.read_trained(run))
    found = {"checkpoint": backbone(tf.constant(clips, tf.float32) / 255.0)["embedding"].numpy()}
    model = local.Local(os.path.join(folder, "saved_model"))
    for output in ("embedding", "logits"):
        found[f"SavedModel's {output}"] = model.predict(
            "serving_default", "clips", clips, output=output, timeout=60
        )
    return found


def write(folder: str) -> None:
    """Trains, exports and remembers the answers."""
    records = os.path.join(folder, "records")
    conftest.write_videos(pathlib.Path(folder, "videos"))
    _run(
        *("-m", "tfrecords_tools.convert", "--dataset=folder", "--num_shards=2"),
        *(f"--videos={folder}/videos", f"--output={records}"),
    )
    _train(folder, "pretrain", steps=_STEPS)
    _train(folder, "linear_eval", steps=_STEPS, pretrained=f"{folder}/pretrain")
    _run(
        *("-m", "official_cvrl.serving.export", f"--model_dir={folder}/linear_eval"),
        f"--output={folder}/saved_model",
    )
    np.savez(os.path.join(folder, _EXPECTED), **_answers(folder))


def read(folder: str) -> int:
    """Compares, prints the differences, goes on with the run; returns how many are too large."""
    faults = 0
    with np.load(os.path.join(folder, _EXPECTED), allow_pickle=False) as expected:
        for name, values in _answers(folder).items():
            scale = np.abs(expected[name]).max()
            difference = np.abs(values - expected[name]).max() / scale
            faults += not difference <= _TOLERANCE
            print(f"  {name}: values up to {scale:.3g}, difference {difference:.1e} of that")
    said = _train(folder, "pretrain", steps=_STEPS + _MORE)
    if f"Goes on from step {_STEPS}" not in said:
        raise AssertionError(said)
    print(f"  the run goes on from step {_STEPS} to step {_STEPS + _MORE}")
    return faults


def _train(folder, name, *, steps, pretrained=""):
    params = [f"TRAIN_STEPS = {steps}"]
    params += [f"experiment.run.pretrained = '{pretrained}'"] if pretrained else []
    places = {"model_dir": f"{folder}/{name}", "data_dir": f"{folder}/records"}
    return _run(*conftest.train_command(f"{name}.gin", params=params, **places))


def _run(*arguments):
    done = conftest.python(*arguments)
    if done.returncode:
        raise AssertionError(f"{arguments} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    _, what, where = sys.argv
    print(f"TensorFlow {tf.__version__} {what}s {where}", flush=True)
    sys.exit({"write": write, "read": read}[what](os.path.abspath(where)))
