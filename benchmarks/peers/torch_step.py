# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The pre-training step of the same network in PyTorch, in the layout that is fastest there."""

import importlib
import time
from collections.abc import Callable, Mapping

from benchmarks import turns

# By name: PyTorch is no dependency of this project and lives in an environment of its own.
torch = importlib.import_module("torch")
nn, functional = torch.nn, torch.nn.functional

_LAYOUT = torch.channels_last_3d
# Table 1 of the paper: channels, blocks, temporal kernel and spatial stride of each stage.
_STAGES = ((64, 3, 1, 1), (128, 4, 1, 2), (256, 6, 3, 2), (512, 3, 3, 2))


def _convolution(inputs, outputs, kernel, stride=(1, 1, 1)):
    """A convolution padded by half of its kernel, with batch norm."""
    padding = tuple(size // 2 for size in kernel)
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, kernel, stride, padding, bias=False), nn.BatchNorm3d(outputs)
    )


class _Bottleneck(nn.Module):
    def __init__(self, inputs, channels, temporal_kernel, spatial_stride):
        super().__init__()
        outputs, stride = 4 * channels, (1, spatial_stride, spatial_stride)
        self.parts = nn.ModuleList(
            [
                _convolution(inputs, channels, (temporal_kernel, 1, 1)),
                _convolution(channels, channels, (1, 3, 3), stride),
                _convolution(channels, outputs, (1, 1, 1)),
            ]
        )
        changes = inputs != outputs or spatial_stride > 1
        self.shortcut = (
            _convolution(inputs, outputs, (1, 1, 1), stride) if changes else nn.Identity()
        )

    def forward(self, clips):
        first, second, third = self.parts
        inner = functional.relu(second(functional.relu(first(clips), True)), True)
        return functional.relu(third(inner) + self.shortcut(clips), True)


def _network():
    parts = [
        _convolution(3, 64, (5, 7, 7), (2, 2, 2)),
        nn.ReLU(True),
        nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
    ]
    inputs = 64
    for channels, blocks, temporal_kernel, spatial_stride in _STAGES:
        for block in range(blocks):
            stride = spatial_stride if block == 0 else 1
            parts.append(_Bottleneck(inputs, channels, temporal_kernel, stride))
            inputs = 4 * channels
    parts += [nn.AdaptiveAvgPool3d(1), nn.Flatten()]
    for _ in range(3):
        parts += [nn.Linear(2048, 2048), nn.BatchNorm1d(2048), nn.ReLU(True)]
    return nn.Sequential(*parts, nn.Linear(2048, 128)).to(memory_format=_LAYOUT)


def _info_nce(projections):
    projections = functional.normalize(projections.float(), dim=1)
    logits = projections @ projections.T / 0.1
    logits.fill_diagonal_(float("-inf"))
    count = len(projections)
    partners = (torch.arange(count) + count // 2) % count
    return functional.cross_entropy(logits, partners)


def make(settings: Mapping) -> Callable[[], Mapping[str, float]]:
    """Returns what measures one step.

    Args:
        settings: `precision` ("float32" or "mixed_bfloat16"), `videos`, `num_frames`, `crop_size`.
    """
    network = _network()
    optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9)
    size = settings["crop_size"]
    clips = torch.rand(2 * settings["videos"], 3, settings["num_frames"], size, size)
    clips = clips.to(memory_format=_LAYOUT)
    is_mixed = settings["precision"] == "mixed_bfloat16"
    before = turns.memory("VmRSS")

    def measure():
        start = time.perf_counter()
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=is_mixed):
            projections = network(clips)
        loss = _info_nce(projections)
        loss.backward()
        optimizer.step()
        loss.item()
        seconds = time.perf_counter() - start
        peak = turns.memory("VmHWM")
        return {"seconds": seconds, "peak_mb": peak, "step_mb": peak - before}

    measure()
    return measure


if __name__ == "__main__":
    turns.serve(make)
