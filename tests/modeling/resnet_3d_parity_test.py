# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The backbone against the published one, tf-models-official's `resnet_3d`."""

import functools
import os
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from official.vision.modeling.backbones import resnet_3d as published_resnet_3d

from official_cvrl import checkpoints
from official_cvrl.modeling import resnet_3d

_NUM_BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
_ODD_SIZES = (2, 7, 67, 69, 3)
_EVEN_SIZES = (4, 4, 64, 64, 3)
_SMALL_SIZES = (4, 4, 48, 48, 3)
# Depth, stem (temporal kernel size, temporal stride), temporal kernel sizes and strides of stages.
_R3D_50 = (50, (5, 2), (1, 1, 3, 3), (1, 1, 1, 1))
_R3D_101 = (101, *_R3D_50[1:])
_OTHER = (50, (3, 1), (3, (3, 1, 3, 1), (3, 1, 3, 1, 3, 1), 1), (1, 1, 2, 1))


@functools.cache
def _models(specification):
    """The published model and ours, with the same random variables."""
    published, ours = _make_published(*specification), _make_ours(*specification)
    _load(published, ours)
    return published, ours


def _make_published(depth, stem, kernel_sizes, strides):
    return published_resnet_3d.ResNet3D(
        depth,
        temporal_strides=list(strides),
        temporal_kernel_sizes=[
            (sizes,) * repeats if isinstance(sizes, int) else sizes
            for sizes, repeats in zip(kernel_sizes, _NUM_BLOCKS[depth], strict=True)
        ],
        stem_conv_temporal_kernel_size=stem[0],
        stem_conv_temporal_stride=stem[1],
        stem_pool_temporal_stride=1,
        use_sync_bn=True,
        norm_momentum=0.9,
        norm_epsilon=1e-5,
    )


def _make_ours(depth, stem, kernel_sizes, strides):
    return resnet_3d.ResNet3D(
        depth,
        stem_temporal_kernel_size=stem[0],
        stem_temporal_stride=stem[1],
        temporal_kernel_sizes=kernel_sizes,
        temporal_strides=strides,
    )


class _FramewiseMaxPool(tf.keras.layers.Layer):
    """A max pool that does not reach over time, frame by frame; also in float64."""

    def __init__(self, pool_size, strides, padding="valid"):
        super().__init__()
        self._over_time = pool_size[0], strides[0]
        self._arguments = pool_size[1:], strides[1:], padding.upper()

    def call(self, clips):
        if self._over_time != (1, 1):
            raise ValueError(f"this pool reaches over time: {self._over_time}")
        _, num_frames, height, width, _ = tf.unstack(tf.shape(clips))
        channels = clips.shape[-1]
        frames = tf.reshape(clips, [-1, height, width, channels])
        frames = tf.nn.max_pool2d(frames, *self._arguments)
        _, height, width, _ = tf.unstack(tf.shape(frames))
        return tf.reshape(frames, [-1, num_frames, height, width, channels])


def _blocks(model):
    """The residual blocks of a published model, in order."""
    return [layer for layer in model.layers if hasattr(layer, "_expand_conv")]


def _layers_of_blocks(their_blocks, our_blocks):
    """Pairs of layers, published and ours, that hold the same variables."""
    for theirs, mine in zip(their_blocks, our_blocks, strict=True):
        convolutions = [theirs._temporal_conv, theirs._spatial_conv, theirs._expand_conv]
        yield from zip(convolutions, mine.convolutions, strict=True)
        yield from zip([theirs._norm1, theirs._norm2, theirs._norm3], mine.norms, strict=True)
        if mine.shortcut_convolution is not None:
            yield theirs._shortcut_conv, mine.shortcut_convolution
            yield theirs._norm0, mine.shortcut_norm


def _layers(published, ours):
    yield published.layers[1], ours.stem_convolution
    yield published.layers[2], ours.stem_norm
    yield from _layers_of_blocks(_blocks(published), _our_blocks(ours))


def _our_blocks(model):
    return [block for stage in model.stages for block in stage]


def _variables(layer_pairs):
    """Pairs of variables, matched by layer and by their own name: kernel, gamma, and so on."""
    for theirs, mine in layer_pairs:
        named = {variable.name.split("/")[-1]: variable for variable in mine.variables}
        for variable in theirs.variables:
            yield variable, named.pop(variable.name.split("/")[-1])
        assert not named, named


def _random_value(name, shape, random):
    """A value off the initial one, for a variable of ours of that name."""
    if name.endswith("kernel:0"):
        # He's variance keeps activations alive through all blocks.
        scale = np.float32(np.sqrt(2 / np.prod(shape[:-1])))
        return scale * random.standard_normal(shape, np.float32)
    if name.endswith("norm3/gamma:0"):
        # Residuals below their shortcuts: else deep batch norm in training mode is chaotic, and
        # rounding alone moves conv5.
        return random.uniform(0.1, 0.3, shape)
    if name.endswith(("gamma:0", "moving_variance:0")):
        return random.uniform(0.5, 1.5, shape)
    return random.normal(size=shape, scale=0.1)


def _load(published, ours):
    """Gives the published model random variables, and ours the same, through a checkpoint."""
    random = np.random.default_rng(1)
    for theirs, mine in _variables(_layers(published, ours)):
        theirs.assign(_random_value(mine.name, mine.shape, random))
    with tempfile.TemporaryDirectory() as folder:
        path = tf.train.Checkpoint(backbone=published).write(os.path.join(folder, "published"))
        checkpoints.load_backbone(ours, path)


class ParityTest(tf.test.TestCase, parameterized.TestCase):
    def _make(self, specification, clips_shape):
        """The two models with the same random variables, and clips; training changes statistics."""
        published, ours = _models(specification)
        for model in (published, ours):
            for variable in model.non_trainable_variables:
                self.addCleanup(variable.assign, variable.numpy())
        clips = np.random.default_rng(2).uniform(size=clips_shape)
        return published, ours, tf.constant(clips, tf.float32)

    def _assert_close(self, theirs, mine, tolerance, what):
        """Holds the largest deviation against the largest value."""
        theirs, mine = theirs.numpy(), mine.numpy()
        self.assertEqual(theirs.shape, mine.shape, what)
        deviation = np.max(np.abs(theirs - mine)) / np.max(np.abs(theirs))
        self.assertLess(deviation, tolerance, what)

    def _assert_same_endpoints(self, theirs, mine):
        for name in ("2", "3", "4", "5"):
            self._assert_close(theirs[name], mine[f"conv{name}"], 1e-4, f"conv{name}")
        embedding = tf.reduce_mean(theirs["5"], [1, 2, 3])
        self._assert_close(embedding, mine["embedding"], 1e-4, "embedding")

    @parameterized.named_parameters(
        ("r3d_50_even_sizes", _R3D_50, _EVEN_SIZES),
        ("r3d_50_odd_sizes", _R3D_50, _ODD_SIZES),
        ("r3d_101", _R3D_101, _SMALL_SIZES),
        ("other_stem_and_kernels", _OTHER, _ODD_SIZES),
    )
    def test_inference(self, specification, clips_shape):
        published, ours, clips = self._make(specification, clips_shape)
        self._assert_same_endpoints(published(clips, training=False), ours(clips, training=False))

    # R3D-101 is R3D-50 with more blocks in one stage, which inference shows.

    @parameterized.named_parameters(("r3d_50", _R3D_50), ("other_stem_and_kernels", _OTHER))
    def test_training(self, specification):
        published, ours, clips = self._make(specification, _EVEN_SIZES)
        self._assert_same_endpoints(published(clips, training=True), ours(clips, training=True))
        for theirs, mine in _variables(_layers(published, ours)):
            if not mine.trainable:
                self._assert_close(theirs, mine, 1e-4, mine.name)

    # Gradients of the whole are compared in float64. In float32 they differ by per cents between
    # any two implementations: rounding turns single ReLUs of the deep layers, and the published
    # variance, E[x²] − E[x]², loses digits. Their 3-D max pool is replaced for that: there is none
    # in float64, and its gradient goes to every value close to the largest (1e-5, relative), to
    # more than one at times. What our layers do in float32 alone, the stem's gradients show.

    # Of R3D-50 alone, the network of the paper: a network takes ten seconds here.

    def test_gradients(self):
        tf.keras.mixed_precision.set_global_policy("float64")
        self.addCleanup(tf.keras.mixed_precision.set_global_policy, "float32")
        with mock.patch.object(published_resnet_3d.layers, "MaxPool3D", _FramewiseMaxPool):
            published = _make_published(*_R3D_50)
        ours = _make_ours(*_R3D_50)
        _load(published, ours)
        random = np.random.default_rng(3)
        # Exact in float32 too, which is what the published model takes in.
        clips = tf.constant(random.integers(256, size=[2, 4, 12, 10, 3]) / 256)
        with tf.GradientTape(persistent=True) as tape:
            theirs = published(clips, training=True)["5"]
            mine = ours(clips, training=True)["conv5"]
            weights = tf.constant(random.normal(size=theirs.shape))
            their_loss = tf.reduce_sum(theirs * weights)
            our_loss = tf.reduce_sum(mine * weights)
        self._assert_close(theirs, mine, 1e-6, "conv5")
        pairs = list(_variables(_layers(published, ours)))
        their_variables, our_variables = zip(*pairs, strict=True)
        their_gradients = tape.gradient(their_loss, their_variables)
        our_gradients = tape.gradient(our_loss, our_variables)
        for (theirs, mine), *gradients in zip(pairs, their_gradients, our_gradients, strict=True):
            if mine.trainable:
                self._assert_close(*gradients, 1e-6, f"gradient of {mine.name}")
            else:
                self._assert_close(theirs, mine, 1e-6, mine.name)

    def test_gradients_of_the_stem(self):
        published, ours, _ = self._make(_R3D_50, _EVEN_SIZES)
        convolution, norm = published.layers[1:3]
        # A tiny clip: on CPUs TensorFlow takes up to a minute for this 3-D gradient.
        clips = tf.random.stateless_uniform([2, 4, 9, 12, 3], seed=[5, 6])
        weights = tf.random.stateless_normal([2, 2, 5, 6, 64], seed=[7, 8])
        with tf.GradientTape(persistent=True) as tape:
            theirs = tf.nn.relu(norm(convolution(clips), training=True))
            frames = ours.stem_convolution(tf.reshape(clips, [8, 9, 12, 3]), 4)
            mine = tf.reshape(tf.nn.relu(ours.stem_norm(frames, training=True)), theirs.shape)
            their_loss = tf.reduce_sum(theirs * weights)
            our_loss = tf.reduce_sum(mine * weights)
        self._assert_close(theirs, mine, 1e-4, "stem")
        for theirs, mine in list(_variables(_layers(published, ours)))[:3]:
            pair = tape.gradient(their_loss, theirs), tape.gradient(our_loss, mine)
            self._assert_close(*pair, 1e-3, f"gradient of {mine.name}")


if __name__ == "__main__":
    tf.test.main()
