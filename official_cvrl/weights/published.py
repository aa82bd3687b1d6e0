# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Backbones out of the published checkpoints, and where each variable stands in them.

The published backbone is tf-models-official's `resnet_3d`: a chain of Keras layers, in whose
checkpoints those with variables are called layer_with_weights-0, -1, …: the first convolution, its
batch norm, then the residual blocks of all stages.
"""

import re
from collections.abc import Sequence

from official_cvrl.weights import object_graph, stored

_CONVOLUTION = ("kernel",)
_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
# Of a block: our layer, theirs, and their variables.
_BLOCK = (
    ("convolutions/0", "_temporal_conv", _CONVOLUTION),
    ("norms/0", "_norm1", _NORM),
    ("convolutions/1", "_spatial_conv", _CONVOLUTION),
    ("norms/1", "_norm2", _NORM),
    ("convolutions/2", "_expand_conv", _CONVOLUTION),
    ("norms/2", "_norm3", _NORM),
)
_SHORTCUT = (
    ("shortcut_convolution", "_shortcut_conv", _CONVOLUTION),
    ("shortcut_norm", "_norm0", _NORM),
)
_LAYER = re.compile(r"layer_with_weights-(\d+)")


def places(has_shortcut: Sequence[bool], *, first_block: int = 2) -> dict[str, str]:
    """Returns, for each variable of our backbone, the name of the published one.

    Args:
        has_shortcut: for each block of the network, whether its shortcut is a convolution. The
            first block of each stage is known by that: there the number of channels changes.
        first_block: the number of the first block's layer.

    Returns:
        From "stages/0/1/norms/2/gamma", say, to "layer_with_weights-3/_norm3/gamma".
    """
    found = {"stem_convolution/kernel": "layer_with_weights-0/kernel"}
    found |= {f"stem_norm/{name}": f"layer_with_weights-1/{name}" for name in _NORM}
    stage, block = -1, 0
    for number, begins in enumerate(has_shortcut, first_block):
        stage, block = (stage + 1, 0) if begins else (stage, block + 1)
        for ours, theirs, variables in _BLOCK + (_SHORTCUT if begins else ()):
            for name in variables:
                place = f"layer_with_weights-{number}/{theirs}/{name}"
                found[f"stages/{stage}/{block}/{ours}/{name}"] = place
    return found


def read(graph: object_graph.ObjectGraph) -> stored.StoredWeights | None:
    """Returns the weights of a published backbone, None if the checkpoint holds none.

    It may be the whole of the checkpoint, its `backbone`, or a part of a model in it.

    Raises:
        UserError: the file is damaged.
    """
    backbone = graph.find(lambda node: bool(_blocks(graph, node)))
    if backbone is None:
        return None
    blocks = _blocks(graph, backbone)
    has_shortcut = [
        graph.descend(node, "_shortcut_conv/kernel") is not None for node in blocks.values()
    ]
    nodes = {
        ours: graph.descend(backbone, theirs)
        for ours, theirs in places(has_shortcut, first_block=min(blocks)).items()
    }
    nodes = {name: node for name, node in nodes.items() if node is not None}
    rest = graph.variables(backbone).items()
    return stored.StoredWeights(
        values={name: graph.value(node) for name, node in nodes.items()},
        unplaced=[name for name, node in rest if node not in nodes.values()],
    )


def _blocks(graph, node):
    """The residual blocks directly below an object, by number of their layer, in that order."""
    layers = {
        int(match[1]): child
        for name, child in graph.children(node).items()
        if (match := _LAYER.fullmatch(name))
    }
    return {
        number: child
        for number, child in sorted(layers.items())
        if "_temporal_conv" in graph.children(child)
    }
