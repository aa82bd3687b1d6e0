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
        use_sync_bn=True,
        norm_momentum=0.9,
        norm_epsilon=1e-5,
    )
    return published, _make_ours(stem, kernel_sizes, strides)


def _make_ours(stem, kernel_sizes, strides):
    return resnet_3d.ResNet3D(
        50,
        stem_temporal_kernel_size=stem[0],
        stem_temporal_stride=stem[1],
        temporal_kernel_sizes=kernel_sizes,
        temporal_strides=strides,
    )


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


def _randomize(variable_pairs, random):
    """Gives both variables of each pair one random value."""
    for theirs, mine in variable_pairs:
        mine.assign(_random_value(mine.name, mine.shape, random))
        theirs.assign(mine)


def _random_value(name, shape, random):
    """A value off the initial one, for a variable of ours of that name."""
    if name.endswith("kernel:0"):
        # He's variance keeps activations alive through all blocks.
        return random.normal(size=shape, scale=np.sqrt(2 / np.prod(shape[:-1])))
    if name.endswith("norm3/gamma:0"):
        # Residuals below their shortcuts: else deep batch norm in training mode is chaotic, and
        # rounding alone moves conv5.
        return random.uniform(0.1, 0.3, shape)
    if name.endswith(("gamma:0", "moving_variance:0")):
        return random.uniform(0.5, 1.5, shape)
    return random.normal(size=shape, scale=0.1)


def _run_published(their_blocks, clips, training=False):
    for block in their_blocks:
        clips = block(clips, training=training)
    return clips


def _run_ours(our_blocks, clips, training=False):
    batch, num_frames, *sizes = clips.shape
    frames = tf.reshape(clips, [-1, *sizes])
    for block in our_blocks:
        frames = block(frames, num_frames, training=training)
        num_frames = block.output_frames(num_frames)
    return tf.reshape(frames, [batch, num_frames, *frames.shape[1:]])


def _in_float64(layer):
    return type(layer).from_config(layer.get_config() | {"dtype": "float64"})


class ParityTest(tf.test.TestCase, parameterized.TestCase):
    def _make(self, specification, clips_shape):
        """The two models with the same random variables, and clips."""
        published, ours = _models(*specification)
        random = np.random.default_rng(1)
        _randomize(_variables(_layers(published, ours)), random)
        return published, ours, tf.constant(random.uniform(size=clips_shape), tf.float32)

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
        ("cvrl_even_sizes", _CVRL, _EVEN_SIZES),
        ("cvrl_odd_sizes", _CVRL, _ODD_SIZES),
        ("other_stem_and_kernels", _OTHER, _ODD_SIZES),
    )
    def test_inference(self, specification, clips_shape):
        published, ours, clips = self._make(specification, clips_shape)
        self._assert_same_endpoints(published(clips, training=False), ours(clips, training=False))

    def test_training(self):
        published, ours, clips = self._make(_CVRL, _EVEN_SIZES)
        self._assert_same_endpoints(published(clips, training=True), ours(clips, training=True))
        for theirs, mine in _variables(_layers(published, ours)):
            if not mine.trainable:
                self._assert_close(theirs, mine, 1e-4, mine.name)

    # Gradients are compared in two parts. In float32 those of the whole differ by per cents
    # between any two implementations: rounding turns single ReLUs of the deep layers, and the
    # published variance, E[x²] − E[x]², loses digits. In float64 the blocks agree almost
    # exactly; the whole published model cannot be in float64, for its 3-D max pool cannot.
    # Nor does the stem's comparison go through that pool, whose gradient goes to every value
    # close to the largest (1e-5, relative), to more than one at times.

    def test_gradients_of_the_blocks(self):
        published, _ = _models(*_CVRL)
        tf.keras.mixed_precision.set_global_policy("float64")
        self.addCleanup(tf.keras.mixed_precision.set_global_policy, "float32")
        their_blocks = [_in_float64(block) for block in _blocks(published)]
        our_blocks = _our_blocks(_make_ours(*_CVRL))
        random = np.random.default_rng(2)
        inputs = tf.constant(random.normal(size=[2, 3, 7, 6, 64]))
        _run_published(their_blocks, inputs)  # Creates their variables.
        pairs = list(_variables(_layers_of_blocks(their_blocks, our_blocks)))
        _randomize(pairs, random)
        with tf.GradientTape(persistent=True) as tape:
            theirs = _run_published(their_blocks, inputs, training=True)
            mine = _run_ours(our_blocks, inputs, training=True)
            weights = tf.constant(random.normal(size=theirs.shape))
            their_loss = tf.reduce_sum(theirs * weights)
            our_loss = tf.reduce_sum(mine * weights)
        self._assert_close(theirs, mine, 1e-8, "outputs")
        their_variables, our_variables = zip(*pairs, strict=True)
        their_gradients = tape.gradient(their_loss, their_variables)
        our_gradients = tape.gradient(our_loss, our_variables)
        for (theirs, mine), *gradients in zip(pairs, their_gradients, our_gradients, strict=True):
            if mine.trainable:
                self._assert_close(*gradients, 1e-8, f"gradient of {mine.name}")
            else:
                self._assert_close(theirs, mine, 1e-8, mine.name)

    def test_gradients_of_the_stem(self):
        published, ours, _ = self._make(_CVRL, _EVEN_SIZES)
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
