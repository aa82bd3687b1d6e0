# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Backbones out of the checkpoints that this package writes."""

from official_cvrl.weights import object_graph, stored


def read(graph: object_graph.ObjectGraph) -> stored.StoredWeights | None:
    """Returns the weights of our backbone in a checkpoint, None if there is none.

    It is what a run saves as `backbone`, or whatever has the parts of one.

    Raises:
        UserError: the file is damaged.
    """
    node = graph.descend(0, "backbone") or graph.find(
        lambda inner: {"stem_convolution", "stages"} <= graph.children(inner).keys()
    )
    if node is None:
        return None
    variables = graph.variables(node)
    return stored.StoredWeights({name: graph.value(inner) for name, inner in variables.items()})
