# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The backbone against the published one, tf-models-official's `resnet_3d`."""

import functools

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from official.vision.modeling.backbones import resnet_3d as published_resnet_3d

from official_cvrl.modeling import resnet_3d

_NUM_BLOCKS = (3, 4, 6, 3)
_ODD_SIZES = (2, 7, 67, 69, 3)
_EVEN_SIZES = (4, 4, 64, 64, 3)
# Stem (temporal kernel size, temporal stride), temporal kernel sizes and strides of the stages.
_CVRL = ((5, 2), (1, 1, 3, 3), (1, 1, 1, 1))
_OTHER = ((3, 1), (3, (3, 1, 3, 1), (3, 1, 3, 1, 3, 1), 1), (1, 1, 2, 1))


@functools.cache
def _models(stem, kernel_sizes, strides):
    """The published model and ours, alike."""
    published = published_resnet_3d.ResNet3D(
        50,
        temporal_strides=list(strides),
        temporal_kernel_sizes=[
            (sizes,) * repeats if isinstance(sizes, int) else sizes
            for sizes, repeats in zip(kernel_sizes, _NUM_BLOCKS, strict=True)
        ],
        stem_conv_temporal_kernel_size=stem[0],
        stem_conv_temporal_stride=stem[1],
        stem_pool_temporal_stride=1,
        use_sync_bn=__import__("os").environ.get("SYNC", "1") == "1",
        norm_momentum=0.9,
        norm_epsilon=1e-5,
    )
    ours = resnet_3d.ResNet3D(
        50,
        stem_temporal_kernel_size=stem[0],
        stem_temporal_stride=stem[1],
        temporal_kernel_sizes=kernel_sizes,
        temporal_strides=strides,
    )
    return published, ours


def _layer_pairs(published, ours):
    """Pairs of layers, published and ours, that hold the same variables."""
    yield published.layers[1], ours.stem_convolution
    yield published.layers[2], ours.stem_norm
    their_blocks = [layer for layer in published.layers if hasattr(layer, "_expand_conv")]
    our_blocks = [block for stage in ours.stages for block in stage]
    for theirs, mine in zip(their_blocks, our_blocks, strict=True):
        convolutions = [theirs._temporal_conv, theirs._spatial_conv, theirs._expand_conv]
        yield from zip(convolutions, mine.convolutions, strict=True)
        yield from zip([theirs._norm1, theirs._norm2, theirs._norm3], mine.norms, strict=True)
        if mine.shortcut_convolution is not None:
            yield theirs._shortcut_conv, mine.shortcut_convolution
            yield theirs._norm0, mine.shortcut_norm


def _variable_pairs(published, ours):
    """Pairs of variables, matched by layer and by their own name: kernel, gamma, …."""
    for theirs, mine in _layer_pairs(published, ours):
        named = {variable.name.split("/")[-1]: variable for variable in mine.variables}
        for variable in theirs.variables:
            yield variable, named.pop(variable.name.split("/")[-1])
        assert not named, named


def _random_value(name, shape, *, switch, random):
    """A value off the initial one, for a variable of ours of that name."""
    if name.endswith("kernel:0"):
        # He's variance keeps activations alive through all blocks.
        return random.normal(size=shape, scale=np.sqrt(2 / np.prod(shape[:-1])))
    if name.endswith("beta:0"):
        return random.normal(size=shape, scale=0.1) + random.choice([-switch, switch], shape)
    if name.endswith("norm3/gamma:0"):
        # Residuals below their shortcuts: else deep batch norm in training mode is chaotic, and
        # rounding alone moves conv5.
        return random.uniform(0.1, 0.3, shape)
    if name.endswith(("gamma:0", "moving_variance:0")):
        return random.uniform(0.5, 1.5, shape)
    return random.normal(size=shape, scale=0.1)


def _all_but_the_stem_kernel(model):
    """The trainable variables whose gradients are compared here.

    TensorFlow takes up to a minute for the stem's 3-D gradient on CPUs; convolution_test holds
    ours against it on a clip of a few pixels.
    """
    return [v for v in model.trainable_variables if v.shape.rank != 5 or v.shape[1] != 7]


@tf.function
def _train_step(model, clips, weights):
    """Endpoints in training mode, and gradients of a loss that is linear in conv5."""
    with tf.GradientTape() as tape:
        endpoints = model(clips, training=True)
        last = endpoints["5"] if "5" in endpoints else endpoints["conv5"]
        loss = tf.reduce_sum(tf.reduce_mean(last, axis=[1, 2, 3]) * weights)
    return endpoints, tape.gradient(loss, _all_but_the_stem_kernel(model))


class ParityTest(tf.test.TestCase, parameterized.TestCase):
    def _make(self, clips_shape, *specification, switch=0):
        """The two models with the same random variables, and clips.

        `switch` moves each channel so far up or down that its ReLU is nearly always on or off.
        Without, gradients are not comparable: rounding in one model (the published one's
        statistics, E[x²] − E[x]², lose digits) turns single ReLUs of the deep layers.
        """
        published, ours = _models(*specification)
        random = np.random.default_rng(1)
        for theirs, mine in _variable_pairs(published, ours):
            mine.assign(_random_value(mine.name, mine.shape, switch=switch, random=random))
            theirs.assign(mine)
        clips = random.uniform(size=clips_shape)
        return published, ours, tf.constant(clips, tf.float32)

    def _assert_close(self, theirs, mine, tolerance, what):
        """Holds the largest deviation against the largest value."""
        theirs, mine = theirs.numpy(), mine.numpy()
        self.assertEqual(theirs.shape, mine.shape, what)
        deviation = np.max(np.abs(theirs - mine)) / np.max(np.abs(theirs))
        print("DEV", deviation, what)
        self.assertLess(deviation, tolerance, what)

    def _assert_same_endpoints(self, theirs, mine):
        for name in ("2", "3", "4", "5"):
            self._assert_close(theirs[name], mine[f"conv{name}"], 1e-4, f"conv{name}")
        embedding = tf.reduce_mean(theirs["5"], [1, 2, 3])
        self._assert_close(embedding, mine["embedding"], 1e-4, "embedding")

    @parameterized.named_parameters(
        ("cvrl_odd_sizes", _ODD_SIZES, *_CVRL),
        ("cvrl_even_sizes", _EVEN_SIZES, *_CVRL),
        ("other_stem_and_kernels", _ODD_SIZES, *_OTHER),
    )
    def test_inference(self, *arguments):
        published, ours, clips = self._make(*arguments)
        self._assert_same_endpoints(published(clips, training=False), ours(clips, training=False))

    @parameterized.named_parameters(
        ("cvrl", _EVEN_SIZES, *_CVRL),
        ("other_stem_and_kernels", _EVEN_SIZES, *_OTHER),
    )
    def test_training(self, *arguments):
        published, ours, clips = self._make(*arguments, switch=4)
        weights = tf.random.stateless_normal([clips.shape[0], 2048], seed=[3, 4])
        their_endpoints, _ = _train_step(published, clips, weights)
        our_endpoints, _ = _train_step(ours, clips, weights)
        self._assert_same_endpoints(their_endpoints, our_endpoints)
        for theirs, mine in _variable_pairs(published, ours):
            if not mine.trainable:
                self._assert_close(theirs, mine, 1e-4, mine.name)


if __name__ == "__main__":
    tf.test.main()
