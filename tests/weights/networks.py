# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Networks with random weights and statistics, which the tests of this folder share."""

import functools

import numpy as np
import tensorflow as tf
from official.vision.modeling.backbones import resnet_3d as published_resnet_3d

from official_cvrl.modeling import resnet_3d

TEMPORAL_KERNEL_SIZES = (1, 1, 3, 3)
_TINY = 1 / 16


def randomize(model, *, seed=0):
    """Gives all variables values off the initial ones that keep activations alive."""
    random = np.random.default_rng(seed)
    for variable in model.variables:
        variable.assign(_value(variable, random))
    return model


def _value(variable, random):
    kind = variable.name.split("/")[-1].split(":")[0]
    if kind == "kernel":
        scale = np.float32(np.sqrt(2 / np.prod(variable.shape[:-1])))
        return scale * random.standard_normal(variable.shape, np.float32)
    if kind in ("gamma", "moving_variance"):
        return random.uniform(0.5, 1.5, variable.shape)
    return random.normal(size=variable.shape, scale=0.1)


@functools.cache
def published():
    """The published R3D-50, with random weights; not to be changed."""
    return randomize(make_published())


def make_published(**arguments):
    repeats = (3, 4, 6, 3)
    sizes = [(size,) * n for size, n in zip(TEMPORAL_KERNEL_SIZES, repeats, strict=True)]
    return published_resnet_3d.ResNet3D(
        50,
        temporal_strides=[1, 1, 1, 1],
        temporal_kernel_sizes=sizes,
        stem_pool_temporal_stride=1,
        use_sync_bn=True,
        norm_momentum=0.9,
        norm_epsilon=1e-5,
        **arguments,
    )


def tiny(depth=18, **arguments):
    """A backbone of ours with few channels, and random weights."""
    return randomize(resnet_3d.ResNet3D(depth, _TINY, **arguments), seed=1)


def tiny_2d(depth=18):
    """The same whose kernels span one frame each."""
    return tiny(depth, stem_temporal_kernel_size=1, temporal_kernel_sizes=(1, 1, 1, 1))


def clips(*shape):
    """Clips that move, float32 in [0, 1]."""
    return tf.random.stateless_uniform(shape, seed=[1, 2])


def still(num_frames, *shape):
    """One clip of a video that stands still."""
    return tf.repeat(clips(1, 1, *shape), num_frames, axis=1)


def values(model):
    """Copies of all values."""
    return [variable.numpy().copy() for variable in model.variables]


def unchanged(model, before):
    """Whether all values are as they were."""
    return all(np.array_equal(a, b) for a, b in zip(values(model), before, strict=True))
