# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The page that goes with a SavedModel: what it is, of which data, how good, large and fast."""

import datetime
import os
import pathlib
from collections.abc import Mapping

import tensorflow as tf

import official_cvrl
from official_cvrl import errors, filesystems, manifest, run_info
from official_cvrl.serving import markdown
from official_cvrl.serving import signatures as signatures_lib

FILE = "model_card.md"


def name_of(model_dir: str) -> str:
    """Returns what a run is called: the last part of its folder's path, local or remote."""
    return pathlib.PurePosixPath(filesystems.absolute(model_dir)).name


def text(
    saved_model: str,
    *,
    model_dir: str,
    info: run_info.RunInfo,
    checkpoint: str,
    signatures: signatures_lib.Signatures,
    seconds: Mapping[str, float],
) -> str:
    """Returns the model card of a version, in Markdown.

    Args:
        saved_model: the version's local folder, otherwise complete.
        model_dir: folder of the run.
        info: what the run says of itself.
        checkpoint: whose weights were exported.
        signatures: what was exported.
        seconds: by signature, how long a request took.

    Raises:
        UserError: the run's results are broken.
    """
    sections = [
        f"# {markdown.text(name_of(model_dir))}",
        _summary(info, checkpoint, signatures),
        "## Data",
        _data(info),
        "## Results",
        _results(model_dir, checkpoint),
        "## Signatures",
        _signatures(signatures, info),
        "## Size and latency",
        _sizes(saved_model, signatures),
        _latency(seconds, info),
        *_configuration(model_dir),
    ]
    return "\n\n".join(sections) + "\n"


def _summary(info, checkpoint, signatures):
    config, clip = info.backbone, info.clip
    classifier = f", a classifier of {len(info.label_names)} classes" if info.classifier else ""
    compiled = ", compiled with XLA" if signatures.xla else ""
    return markdown.table(
        ("", ""),
        [
            ("model", f"R3D-{config['depth']}, width {config['width_multiplier']:g}{classifier}"),
            ("checkpoint", markdown.code(checkpoint)),
            ("began with", _origin(info.origin)),
            (
                "clips",
                f"{clip.num_frames} frames, {clip.temporal_stride} video frames apart; shorter "
                f"side {clip.min_resize}, crop {clip.crop_size}",
            ),
            ("computes in", f"{signatures.dtype}{compiled}; outputs are float32"),
            ("written", _written(info)),
        ],
    )


def _written(info):
    return (
        f"{datetime.date.today()}, official-cvrl {official_cvrl.__version__} with TensorFlow "
        f"{tf.__version__}; trained with official-cvrl {markdown.text(info.version)}"
    )


def _origin(origin):
    if not origin.path:
        return "random weights"
    return f"{markdown.code(origin.path)} ({markdown.text(origin.digest)})"


def _data(info):
    folder = markdown.code(info.data_dir)
    try:
        splits = manifest.list_splits(info.data_dir)
        shards = [manifest.find_shards(info.data_dir, split) for split in splits]
    except Exception as error:
        if not (isinstance(error, errors.UserError) or filesystems.is_fault(error)):
            raise
        return f"Records in {folder}, which could not be read when this was written."
    rows = [
        (markdown.text(s.split), f"{s.num_examples:,}", f"{len(s.label_names):,}") for s in shards
    ]
    return f"Records in {folder}:\n\n{markdown.table(('split', 'videos', 'classes'), rows)}"


def _results(model_dir, checkpoint):
    results, step = run_info.read_results(model_dir), run_info.evaluated_step(model_dir)
    if not results:
        return "The run was not evaluated."
    if step is None:
        of = "the run's last evaluation, which does not say of which step it is"
    elif _is_step(checkpoint, step, model_dir):
        of = f"the run's last evaluation, of these weights (step {step})"
    else:
        return (
            "Of these weights there are none: the run's last evaluation is of its step "
            f"{step}. `train.py --mode=eval` evaluates the newest checkpoint."
        )
    rows = [(markdown.text(name), f"{value:.4g}") for name, value in results.items()]
    return f"Of {of}, on its test split:\n\n{markdown.table(('', ''), rows)}"


def _is_step(checkpoint, step, model_dir):
    """Whether a checkpoint is the run's own, and of that step."""
    checkpoint, folder = (
        pathlib.PurePosixPath(filesystems.absolute(path)) for path in (checkpoint, model_dir)
    )
    return checkpoint.parent == folder and run_info.step_of(checkpoint.name) == step


def _signatures(signatures, info):
    rows = [
        (f"`{name}`", _tensors(contract["inputs"]), _tensors(contract["outputs"]))
        for name, contract in signatures.contract().items()
    ]
    labels = " Class names are in `assets/labels.txt`." if info.classifier else ""
    return (
        markdown.table(("signature", "input", "outputs"), rows)
        + "\n\nFrames are RGB of any size; they are resized and cropped inside. Dimension 0 is the "
        f"batch. `multi_view` is the mean over {signatures_lib.NUM_TEST_CLIPS} clips × "
        f"{signatures_lib.NUM_TEST_CROPS} crops of a record, `sequence_examples` its middle clip."
        + labels
    )


def _tensors(specs):
    return ", ".join(
        f"`{name}` {spec.dtype.name} [{', '.join(_dimensions(spec))}]"
        for name, spec in sorted(specs.items())
    )


def _dimensions(spec):
    free = iter(("batch", "height", "width"))
    return [next(free) if size is None else str(size) for size in spec.shape]


def _sizes(saved_model, signatures):
    files = [path for path in pathlib.Path(saved_model).rglob("*") if path.is_file()]
    total = sum(path.stat().st_size for path in files)
    return markdown.table(
        ("", ""),
        [
            ("parameters", f"{signatures.num_parameters:,}"),
            ("files", f"{total / 1e6:,.1f} MB"),
        ],
    )


def _latency(seconds, info):
    side = info.clip.min_resize
    rows = [(f"`{name}`", f"{1000 * value:,.1f} ms") for name, value in seconds.items()]
    return (
        f"A request with a batch of one, frames of {side * 4 // 3}×{side}, in plain TensorFlow on "
        f"{os.cpu_count()} CPUs, no GPU:\n\n" + markdown.table(("signature", "time"), rows)
    )


def _configuration(model_dir):
    path = filesystems.openable_path(model_dir) / "config.gin"
    if not path.exists():
        return []
    return ["## Configuration", markdown.block(path.read_bytes().decode().strip())]
