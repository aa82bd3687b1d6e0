# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Checkpoints: strict restore, and the weights of a backbone out of another run."""

import os
import re

import tensorflow as tf

from official_cvrl import errors, filesystems
from official_cvrl.weights import assignment, keras_2d, object_graph, own, published

# Of the files that together are one checkpoint.
_ENDING = re.compile(r"\.(index|data-\d{5}-of-\d{5})$")
_INDEX = re.compile(r"^ckpt-(\d+)\.index$")


def latest(path: str) -> str:
    """Returns the newest whole checkpoint of a run's folder, or the checkpoint that `path` names.

    Raises:
        UserError: there is none, or none that reads to its end.
    """
    is_folder = tf.io.gfile.isdir(path)
    found = newest_whole(path) if is_folder else path
    if found and tf.io.gfile.exists(found + ".index"):
        return found
    if is_folder and listed(path):
        raise errors.UserError(
            f"No checkpoint in {path} can be read: all are damaged or gone, as named above. Bring "
            "one back from a copy, or remove that folder and train anew."
        )
    raise errors.UserError(
        f"No checkpoint at {path!r}. Give a run's folder (with files ckpt-N.index), or the path of "
        "one checkpoint without its ending."
    )


def listed(folder: str) -> list[str]:
    """Returns the checkpoints of a folder, the newest last, whether they can be read or not.

    The file `checkpoint` names them in order. Those that it does not name, as where it is lost,
    come before them, by step.

    Raises:
        UserError: that file is empty, or something else.
    """
    if not tf.io.gfile.isdir(folder):
        return []
    try:
        state = tf.train.get_checkpoint_state(folder)
    except ValueError as error:
        raise errors.UserError(
            f"{os.path.join(folder, 'checkpoint')} names no checkpoint. Remove that file: the "
            "checkpoints beside it are found without it."
        ) from error
    named = list(state.all_model_checkpoint_paths) if state else []
    matches = filter(None, map(_INDEX.match, tf.io.gfile.listdir(folder)))
    steps = sorted(int(match[1]) for match in matches)
    there = [os.path.join(folder, f"ckpt-{step}") for step in steps]
    return [path for path in there if path not in named] + named


def newest_whole(folder: str) -> str | None:
    """Returns the newest checkpoint of a folder that reads to its end; None if there is none.

    Those that do not, as after a full disk or a crash of the machine, are passed over and named.
    """
    for path in reversed(listed(folder)):
        fault = _damage(path)
        if fault is None:
            return path
        print(f"{path} is damaged and passed over: {fault}.", flush=True)
    return None


def _damage(path):
    """What keeps a checkpoint's tensors from being read, checksums and all; or None."""
    try:
        reader = tf.train.load_checkpoint(path)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except (tf.errors.OpError, ValueError, RuntimeError, IndexError) as error:
        return str(error).splitlines()[0].rstrip(".")
    return None


def restore(checkpoint: tf.train.Checkpoint, path: str) -> None:
    """Restores every variable that the checkpoint object holds now, or none.

    Args:
        checkpoint: of the objects to restore; their variables exist already. An optimizer's slots
            may come later: they are restored when they are made.
        path: a checkpoint, without its ending.

    Raises:
        UserError: variables are missing in the file or have another shape; they are named.
    """
    problems = _differences(checkpoint, path)
    if problems:
        raise errors.UserError(_mismatch(path, problems))
    checkpoint.read(path).expect_partial().assert_existing_objects_matched()


def load_backbone(backbone: tf.keras.Model, path: str) -> str:
    """Loads a backbone's weights, all or nothing; what the file is, its content says.

    Args:
        backbone: a built backbone.
        path: a run's folder, or one checkpoint, of this package or of the published code (backbone
            or whole training); or a file of Keras applications' ResNet50 or ResNet101. Kernels
            that span one frame are inflated to what the backbone's span.

    Returns:
        The checkpoint or file that was read.

    Raises:
        UserError: nothing to read there, no backbone in it, or one of another architecture; what
            is missing, left over or of another shape is named.
    """
    path = find(path)
    if not tf.io.gfile.exists(f"{path}.index"):
        weights = keras_2d.read(path, epsilon=backbone.norm_epsilon)
    else:
        graph = object_graph.ObjectGraph(path)
        weights = published.read(graph) or own.read(graph)
    if weights is None:
        raise errors.UserError(
            f"{path} holds no backbone: neither one of this package nor the published resnet_3d."
        )
    assignment.assign(backbone, weights, path=path)
    return path


def find(path: str) -> str:
    """Returns what `load_backbone` reads: the checkpoint, as `latest` does, or the file.

    Raises:
        UserError: there is neither, or this installation cannot open such paths.
    """
    path = _ENDING.sub("", path)
    filesystems.openable_path(path)
    is_checkpoint = tf.io.gfile.exists(f"{path}.index")
    if not is_checkpoint and tf.io.gfile.exists(path) and not tf.io.gfile.isdir(path):
        return path
    return latest(path)


def holds(path: str, name: str) -> bool:
    """Returns whether `load_backbone` read a checkpoint that has something under a name."""
    if not tf.io.gfile.exists(f"{path}.index"):
        return False
    return name in object_graph.ObjectGraph(path).children(0)


def _differences(checkpoint, path):
    """Says, a line each, which variables the file lacks or holds in another shape."""
    graph = object_graph.ObjectGraph(path)
    problems = []
    for name, variable, node in _paired_variables(checkpoint, graph):
        stored = None if node is None else graph.shape(node)
        if stored != variable.shape.as_list():
            described = "missing" if stored is None else f"of shape {stored}"
            problems.append(f"{name}: {described}, {variable.shape.as_list()} expected")
    return problems


def _paired_variables(checkpoint, graph):
    """Yields (path of names, variable, node of the file or None), walking both graphs at once."""
    view = tf.train.TrackableView(checkpoint)
    queue, seen = [("", checkpoint, 0)], set()
    while queue:
        path, trackable, node = queue.pop(0)
        if isinstance(trackable, tf.Variable):
            yield path, trackable, node
        children = {} if node is None else graph.children(node)
        for name, child in view.children(trackable).items():
            if id(child) not in seen:
                seen.add(id(child))
                queue.append((f"{path}/{name}".lstrip("/"), child, children.get(name)))


def _mismatch(path, problems, most=8):
    listed = "\n  ".join(problems[:most])
    more = f"\n  … and {len(problems) - most} more" if len(problems) > most else ""
    return (
        f"{path} does not fit this run's model; nothing was loaded. Take the gin file that made "
        f"it, or another --model_dir.\n  {listed}{more}"
    )
