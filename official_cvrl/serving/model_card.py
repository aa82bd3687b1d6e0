# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The page that goes with a SavedModel: what it is, of which data, how good, large and fast."""

import datetime
import os
import pathlib
from collections.abc import Mapping, Sequence

import tensorflow as tf

import official_cvrl
from official_cvrl import errors, manifest, run_info
from official_cvrl.serving import signatures as signatures_lib

FILE = "model_card.md"


def write(
    saved_model: str,
    *,
    model_dir: str,
    info: run_info.RunInfo,
    checkpoint: str,
    signatures: signatures_lib.Signatures,
    seconds: Mapping[str, float],
) -> None:
    """Writes the model card of a version, in Markdown.

    Args:
        saved_model: the version's folder, otherwise complete.
        model_dir: folder of the run.
        info: what the run says of itself.
        checkpoint: whose weights were exported.
        signatures: what was exported.
        seconds: by signature, how long a request took.

    Raises:
        UserError: the run's results are broken.
    """
    name = os.path.basename(os.path.abspath(model_dir))
    sections = [
        f"# {name}",
        _summary(info, checkpoint, signatures),
        "## Data",
        _data(info),
        "## Results",
        _results(model_dir),
        "## Signatures",
        _signatures(signatures, info),
        "## Size and latency",
        _sizes(saved_model, signatures),
        _latency(seconds, info),
        *_configuration(model_dir),
    ]
    path = pathlib.Path(saved_model, FILE)
    path.write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def _summary(info, checkpoint, signatures):
    config, clip, origin = info.backbone, info.clip, info.origin
    classifier = f", a classifier of {len(info.label_names)} classes" if info.classifier else ""
    compiled = ", compiled with XLA" if signatures.xla else ""
    return _table(
        ("", ""),
        [
            ("model", f"R3D-{config['depth']}, width {config['width_multiplier']:g}{classifier}"),
            ("checkpoint", f"`{checkpoint}`"),
            (
                "began with",
                f"`{origin.path}` ({origin.digest})" if origin.path else "random weights",
            ),
            (
                "clips",
                f"{clip.num_frames} frames, {clip.temporal_stride} video frames apart; shorter "
                f"side {clip.min_resize}, crop {clip.crop_size}",
            ),
            ("computes in", f"{signatures.dtype}{compiled}; outputs are float32"),
            (
                "written",
                f"{datetime.date.today()}, official-cvrl {official_cvrl.__version__} with "
                f"TensorFlow {tf.__version__}; trained with official-cvrl {info.version}",
            ),
        ],
    )


def _data(info):
    try:
        splits = manifest.list_splits(info.data_dir)
        shards = [manifest.find_shards(info.data_dir, split) for split in splits]
    except errors.UserError:
        return f"`{info.data_dir}`, which was not there any more when this was written."
    rows = [(s.split, f"{s.num_examples:,}", f"{len(s.label_names):,}") for s in shards]
    table = _table(("split", "videos", "classes"), rows)
    return f"Records in `{info.data_dir}`:\n\n{table}"


def _results(model_dir):
    results = run_info.read_results(model_dir)
    if not results:
        return "The run was not evaluated."
    rows = [(name, f"{value:.4g}") for name, value in results.items()]
    return f"Of the run's last evaluation, on its test split:\n\n{_table(('', ''), rows)}"


def _signatures(signatures, info):
    rows = [
        (f"`{name}`", _tensors(contract["inputs"]), _tensors(contract["outputs"]))
        for name, contract in signatures.contract().items()
    ]
    labels = " Class names are in `assets/labels.txt`." if info.classifier else ""
    return (
        _table(("signature", "input", "outputs"), rows)
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
    return _table(
        ("", ""),
        [
            ("parameters", f"{signatures.num_parameters:,}"),
            ("files", f"{total / 1e6:,.1f} MB"),
        ],
    )


def _latency(seconds, info):
    side = info.clip.min_resize
    gpus = len(tf.config.list_physical_devices("GPU"))
    rows = [(f"`{name}`", f"{1000 * value:,.1f} ms") for name, value in seconds.items()]
    return (
        f"A request with a batch of one, frames of {side * 4 // 3}×{side}, in plain TensorFlow on "
        f"{os.cpu_count()} CPUs and {gpus} GPUs:\n\n" + _table(("signature", "time"), rows)
    )


def _configuration(model_dir):
    path = pathlib.Path(model_dir, "config.gin")
    if not path.exists():
        return []
    return ["## Configuration", f"```\n{path.read_text(encoding='utf-8').strip()}\n```"]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
