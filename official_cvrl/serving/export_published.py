# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Writes a run's backbone as a checkpoint that the published code, tf-models-official, loads.

Such as: python -m official_cvrl.serving.export_published --model_dir=RUN --output=DIR/backbone
"""

import functools
import os

import tensorflow as tf
from absl import app, flags, logging
from official.vision.modeling.backbones import resnet_3d as published_resnet_3d

from official_cvrl import commands, errors, filesystems, run_info
from official_cvrl.modeling import resnet_3d
from official_cvrl.weights import assignment, published

# What the published backbone always is.
_FIXED = {
    "width_multiplier": 1.0,
    "stem_spatial_stride": 2,
    "stem_pool": True,
    "spatial_strides": (1, 2, 2, 2),
    "spatial_dilations": (1, 1, 1, 1),
}
_DEPTHS = (50, 101)


def export_published(backbone: resnet_3d.ResNet3D, path: str) -> None:
    """Saves a backbone as `tf.train.Checkpoint(backbone=…)` of the published `ResNet3D`.

    The published code initialises from it with `init_checkpoint_modules: "backbone"`, given the
    same temporal kernel sizes and strides.

    Args:
        backbone: a built backbone.
        path: of the checkpoint, without its ending.

    Raises:
        UserError: the published backbone cannot be like this one, and the message says in what; or
            the checkpoint cannot be written.
    """
    _refuse_other_than_published(backbone)
    if not os.path.basename(path):
        raise errors.UserError(f"{path!r} names a folder; add a name for the checkpoint in it.")
    filesystems.openable_path(path)  # Refuses what cannot be opened.
    try:
        tf.io.gfile.makedirs(os.path.dirname(path) or ".")
        tf.train.Checkpoint(backbone=_as_published(backbone)).write(path)
    except tf.errors.OpError as error:
        raise errors.UserError(
            f"{path!r} cannot be written: {error.message}. Give --output=PREFIX in a folder that "
            "you may write to."
        ) from error


def _as_published(backbone):
    """A published backbone with our weights."""
    model = published_model(backbone)
    layers = [layer for layer in model.layers if layer.weights]
    has_shortcut = [
        block.shortcut_convolution is not None for stage in backbone.stages for block in stage
    ]
    ours = assignment.variables(backbone)
    for name, place in published.places(has_shortcut).items():
        theirs = _at(layers, place)
        theirs.assign(tf.cast(ours.pop(name), theirs.dtype))
    if ours:
        raise RuntimeError(f"These variables were not exported: {', '.join(ours)}")
    return model


def published_model(backbone: resnet_3d.ResNet3D) -> tf.keras.Model:
    """Returns a published backbone of the same configuration, with weights of its own.

    Raises:
        UserError: there is none; the arguments in the way are named.
    """
    _refuse_other_than_published(backbone)
    return published_resnet_3d.ResNet3D(
        backbone.depth,
        temporal_strides=list(backbone.temporal_strides),
        temporal_kernel_sizes=[
            tuple(block.temporal_kernel_size for block in stage) for stage in backbone.stages
        ],
        stem_conv_temporal_kernel_size=backbone.stem_temporal_kernel_size,
        stem_conv_temporal_stride=backbone.stem_temporal_stride,
        stem_pool_temporal_stride=1,
        use_sync_bn=backbone.synchronized,
        norm_momentum=backbone.norm_momentum,
        norm_epsilon=backbone.norm_epsilon,
    )


def _refuse_other_than_published(backbone):
    problems = [
        f"{name} = {getattr(backbone, name)!r}, where it has {value!r}"
        for name, value in _FIXED.items()
        if getattr(backbone, name) != value
    ]
    if backbone.depth not in _DEPTHS:
        problems.insert(0, f"depth = {backbone.depth}, where it has one of {_DEPTHS}")
    if problems:
        raise errors.UserError(
            f"The published backbone cannot be like this one: {'; '.join(problems)}."
        )


def _at(layers, place):
    """The variable that a checkpoint's names, "layer_with_weights-3/_norm3/gamma", lead to."""
    layer, *names = place.split("/")
    return functools.reduce(getattr, names, layers[int(layer.rpartition("-")[2])])


def main(unused_argv):
    """Exports what the flags name; returns the exit code."""
    # It takes no GPU, and TensorFlow would take all of its memory from who trains on it.
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    logging.set_verbosity(logging.ERROR)
    return commands.exit_code(_run, interrupted="Interrupted; nothing was exported.")


def _run():
    model_dir, output = flags.FLAGS.model_dir, flags.FLAGS.output
    if not model_dir or not output:
        raise errors.UserError("give --model_dir=RUN and --output=PREFIX")
    info = run_info.read(model_dir)
    if info is None:
        raise errors.UserError(f"{model_dir} holds no run; give the folder of one.")
    backbone, _ = run_info.load_backbone(model_dir, info)
    export_published(backbone, output)
    print(f"Checkpoint for tf-models-official: {output}")


if __name__ == "__main__":
    flags.DEFINE_string("model_dir", None, "Folder of a training run.")
    flags.DEFINE_string("output", None, "Path of the checkpoint, without its ending.")
    app.run(main, flags_parser=commands.parse_flags)
