# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The object graph of a checkpoint: which variables it holds, by which names."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import trackable_object_graph_pb2

from official_cvrl import errors

_UNREADABLE = (tf.errors.OpError, ValueError, RuntimeError, IndexError)


class ObjectGraph:
    """The objects of one checkpoint, numbered; 0 is what was saved, and holds all others."""

    def __init__(self, path: str):
        """Reads the graph, without any values.

        Args:
            path: a checkpoint, without its ending.

        Raises:
            UserError: it cannot be read, or was not saved by `tf.train.Checkpoint`.
        """
        self.path = path
        try:
            self._reader = tf.train.load_checkpoint(path)
            serialized = self._reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH")
        except _UNREADABLE as error:
            raise self._unreadable(error) from error
        self._shapes = self._reader.get_variable_to_shape_map()
        self._nodes = trackable_object_graph_pb2.TrackableObjectGraph.FromString(serialized).nodes

    def children(self, node: int) -> dict[str, int]:
        """Returns what an object holds, by name, in the order of the names."""
        children = {child.local_name: child.node_id for child in self._nodes[node].children}
        return dict(sorted(children.items()))

    def descend(self, node: int, names: str) -> int | None:
        """Returns what `names`, joined by "/", lead to from an object; None if nothing."""
        for name in names.split("/"):
            if node is not None:
                node = self.children(node).get(name)
        return node

    def find(self, is_wanted: Callable[[int], bool]) -> int | None:
        """Returns the wanted object closest to the root, None if there is none."""
        return next((node for _, node in self._walk(0) if is_wanted(node)), None)

    def variables(self, node: int) -> dict[str, int]:
        """Returns the variables below an object, each by its shortest name from there."""
        return {name: inner for name, inner in self._walk(node) if self.shape(inner) is not None}

    def shape(self, node: int) -> list[int] | None:
        """Returns the shape of a variable, None for other objects."""
        return self._shapes.get(self._key(node))

    def value(self, node: int) -> np.ndarray:
        """Returns the value of a variable.

        Raises:
            UserError: the file is damaged.
        """
        try:
            return self._reader.get_tensor(self._key(node))
        except _UNREADABLE as error:
            raise self._unreadable(error) from error

    def _key(self, node):
        attributes = self._nodes[node].attributes
        return next((a.checkpoint_key for a in attributes if a.name == "VARIABLE_VALUE"), None)

    def _walk(self, node):
        """Yields (name, object), the object itself first, then by distance, none twice."""
        queue, seen = [("", node)], {node}
        for name, inner in queue:
            yield name, inner
            for child_name, child in self.children(inner).items():
                if child not in seen:
                    seen.add(child)
                    queue.append((f"{name}/{child_name}".lstrip("/"), child))

    def _unreadable(self, error):
        return errors.UserError(
            f"{self.path} cannot be read as a checkpoint of TensorFlow 2: {error}"
        )
