# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Checkpoints: strict restore, and the weights of a backbone out of another run."""

import tensorflow as tf
from tensorflow.core.protobuf import trackable_object_graph_pb2

from official_cvrl import errors


def latest(path: str) -> str:
    """Returns the newest checkpoint of a run's folder, or the checkpoint that `path` names.

    Raises:
        UserError: there is none.
    """
    found = tf.train.latest_checkpoint(path) if tf.io.gfile.isdir(path) else path
    if found and tf.io.gfile.exists(found + ".index"):
        return found
    raise errors.UserError(
        f"No checkpoint at {path!r}. Give a run's folder (with files ckpt-N.index), or the path of "
        "one checkpoint without its ending."
    )


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
    """Loads a backbone's weights out of a run's checkpoint, all or nothing.

    Args:
        backbone: a built backbone.
        path: a run's folder, or one checkpoint saved by this package.

    Returns:
        The checkpoint that was read.

    Raises:
        UserError: no checkpoint there, one without a backbone, or one of another architecture.
    """
    path = latest(path)
    root = _object_graph(path).nodes[0]
    if "backbone" not in {child.local_name for child in root.children}:
        raise errors.UserError(f"{path} holds no backbone; it was not written by this package.")
    restore(tf.train.Checkpoint(backbone=backbone), path)
    return path


def _object_graph(path):
    try:
        serialized = tf.train.load_checkpoint(path).get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH")
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        raise errors.UserError(f"{path} cannot be read as a checkpoint: {error}") from error
    return trackable_object_graph_pb2.TrackableObjectGraph.FromString(serialized)


def _differences(checkpoint, path):
    """Says, a line each, which variables the file lacks or holds in another shape."""
    nodes = _object_graph(path).nodes
    shapes = tf.train.load_checkpoint(path).get_variable_to_shape_map()
    problems = []
    for name, variable, node_id in _paired_variables(checkpoint, nodes):
        keys = [] if node_id is None else [a.checkpoint_key for a in nodes[node_id].attributes]
        stored = shapes.get(keys[0]) if keys else None
        if stored != variable.shape.as_list():
            described = "missing" if stored is None else f"of shape {stored}"
            problems.append(f"{name}: {described}, {variable.shape.as_list()} expected")
    return problems


def _paired_variables(checkpoint, nodes):
    """Yields (path of names, variable, node of the file or None), walking both graphs at once."""
    view = tf.train.TrackableView(checkpoint)
    queue, seen = [("", checkpoint, 0)], set()
    while queue:
        path, trackable, node_id = queue.pop(0)
        if isinstance(trackable, tf.Variable):
            yield path, trackable, node_id
        children = {} if node_id is None else _children(nodes[node_id])
        for name, child in view.children(trackable).items():
            if id(child) not in seen:
                seen.add(id(child))
                queue.append((f"{path}/{name}".lstrip("/"), child, children.get(name)))


def _children(node):
    return {child.local_name: child.node_id for child in node.children}


def _mismatch(path, problems, most=8):
    listed = "\n  ".join(problems[:most])
    more = f"\n  … and {len(problems) - most} more" if len(problems) > most else ""
    return (
        f"{path} does not fit this run's model; nothing was loaded. Take the gin file that made "
        f"it, or another --model_dir.\n  {listed}{more}"
    )
