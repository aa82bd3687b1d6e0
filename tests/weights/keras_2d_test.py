# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Keras applications' ResNets: layers give what theirs give, and still videos what frames give."""

import functools

import h5py
import numpy as np
import pytest
import tensorflow as tf

from official_cvrl import checkpoints, errors
from official_cvrl.modeling import resnet_3d
from official_cvrl.weights import assignment, keras_2d
from tests.weights import networks

_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


@functools.cache
def _keras():
    model = networks.randomize(tf.keras.applications.ResNet50(weights=None, classes=4))
    # Trained on pixels in 0 … 255; and channels that are dead, as trained networks have them.
    variance = model.get_layer("conv1_bn").moving_variance
    variance.assign(variance * 5000 * np.arange(64).clip(0, 1))
    return model


@pytest.fixture(scope="module", name="file")
def _file(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("keras") / "resnet50.h5")
    _keras().save_weights(path)
    return path


@pytest.fixture(scope="module", name="loaded")
def _loaded(file):
    backbone = resnet_3d.ResNet3D(50)
    assert checkpoints.load_backbone(backbone, file) == file
    return backbone


@pytest.fixture(scope="module", name="flat")
def _flat(file):
    """The same weights in a backbone whose kernels span one frame each."""
    backbone = resnet_3d.ResNet3D(
        50, stem_temporal_kernel_size=1, temporal_kernel_sizes=(1, 1, 1, 1)
    )
    checkpoints.load_backbone(backbone, file)
    return backbone


def _units(backbone):
    """(name in Keras, our convolution, our batch norm) of each convolution."""
    yield "conv1", backbone.stem_convolution, backbone.stem_norm
    for stage, blocks in enumerate(backbone.stages, 2):
        for number, block in enumerate(blocks, 1):
            name = f"conv{stage}_block{number}"
            if block.shortcut_convolution is not None:
                yield f"{name}_0", block.shortcut_convolution, block.shortcut_norm
            layers = zip(block.convolutions, block.norms, strict=True)
            for index, (convolution, norm) in enumerate(layers, 1):
                yield f"{name}_{index}", convolution, norm


def test_every_layer_gives_for_a_still_video_what_its_frame_gives(loaded):
    random = np.random.default_rng(3)
    units = list(_units(loaded))
    assert len(units) == 53
    for name, convolution, norm in units:
        size = 21 if name == "conv1" else 5
        frame = random.uniform(size=[1, size, size, convolution.kernel.shape[3]]).astype("float32")
        theirs = frame
        if name == "conv1":
            theirs = tf.keras.applications.resnet.preprocess_input(255 * frame)
        layer = _keras().get_layer(f"{name}_conv")
        theirs = tf.nn.conv2d(theirs, layer.kernel, 1, "SAME") + layer.bias
        theirs = _keras().get_layer(f"{name}_bn")(theirs, training=False).numpy()
        ours = norm(convolution(tf.repeat(frame, 7, axis=0), 7), training=False).numpy()
        # The middle in time; in space, without the border where zeros are other colours.
        stride, border = convolution.spatial_stride, 2 if name == "conv1" else 0
        inner = slice(border, -border or None)
        ours = ours[len(ours) // 2, inner, inner]
        theirs = theirs[0, ::stride, ::stride][inner, inner]
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max(), err_msg=name)


def _give(frames, unit, stride=1):
    """What Keras's convolution and batch norm give, padded as ours are."""
    convolution = _keras().get_layer(f"{unit}_conv")
    frames = tf.nn.conv2d(frames, convolution.kernel, stride, "SAME") + convolution.bias
    return _keras().get_layer(f"{unit}_bn")(frames, training=False)


def _give_all(frames):
    """What Keras's layers give in our network: other padding, and strides in the 3×3."""
    border = [[0, 0], [2, 3], [2, 3], [0, 0]]  # "SAME", for even sizes; black, as in our clips.
    pixels = tf.keras.applications.resnet.preprocess_input(255 * tf.pad(frames, border).numpy())
    convolution = _keras().get_layer("conv1_conv")
    frames = tf.nn.conv2d(pixels, convolution.kernel, 2, "VALID") + convolution.bias
    frames = tf.nn.relu(_keras().get_layer("conv1_bn")(frames, training=False))
    frames = tf.nn.max_pool2d(frames, 3, 2, "SAME")
    for stage, num_blocks in enumerate((3, 4, 6, 3), 2):
        for block in range(1, num_blocks + 1):
            name = f"conv{stage}_block{block}"
            stride = 2 if block == 1 and stage > 2 else 1
            shortcut = _give(frames, f"{name}_0", stride) if block == 1 else frames
            inner = tf.nn.relu(_give(frames, f"{name}_1"))
            inner = tf.nn.relu(_give(inner, f"{name}_2", stride))
            frames = tf.nn.relu(_give(inner, f"{name}_3") + shortcut)
    return frames


def test_nothing_differs_from_keras_but_padding_and_the_place_of_strides(flat):
    clip = networks.clips(2, 1, 64, 64, 3)
    theirs, ours = _give_all(clip[:, 0]).numpy(), flat(clip, training=False)["conv5"].numpy()
    np.testing.assert_allclose(ours[:, 0], theirs, atol=1e-4 * theirs.max())


def test_a_still_video_gives_what_the_2d_network_gives(loaded, flat):
    clip = networks.still(44, 32, 32, 3)
    endpoints, expected = loaded(clip, training=False), flat(clip, training=False)
    # Zeros before the first and after the last frame reach 1 frame of the stem, 6 of conv4, 3 of
    # conv5.
    for name, reach in (("conv2", 1), ("conv3", 1), ("conv4", 7), ("conv5", 10)):
        inner = slice(reach, 22 - reach)
        ours, theirs = endpoints[name][:, inner].numpy(), expected[name][:, inner].numpy()
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * theirs.max(), err_msg=name)
        outer = endpoints[name][:, 0].numpy() - expected[name][:, 0].numpy()
        assert np.abs(outer).max() > 0.01 * theirs.max()


def _same(weights, expected):
    assert weights.values.keys() == expected.values.keys()
    for name, value in weights.values.items():
        np.testing.assert_array_equal(value, expected.values[name], err_msg=name)


def test_every_layout_holds_the_same(tmp_path, file):
    model = _keras()
    model.save(tmp_path / "model.keras")
    model.compile(tf.keras.optimizers.SGD(momentum=0.9))  # It has moments by the layers' names.
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "model.h5")
    tf.keras.Sequential([model]).save_weights(tmp_path / "nested.h5")
    _write_as_keras_3(tmp_path / "keras_3.weights.h5")
    expected = keras_2d.read(file, epsilon=1e-5)
    paths = list(tmp_path.iterdir())
    assert len(paths) == 4
    for path in paths:
        _same(keras_2d.read(str(path), epsilon=1e-5), expected)


def _write_as_keras_3(path):
    """The layout of Keras 3.9 and later: numbered, with the names beside."""
    with h5py.File(path, "w") as file:
        for number, layer in enumerate(_keras().layers):
            group = file.create_group(f"layers/functional/layers/layer_{number}/vars")
            group.attrs["name"] = layer.name
            for index, weight in enumerate(layer.weights):
                group[str(index)] = weight.numpy()


def test_resnet101(tmp_path):
    model = tf.keras.applications.ResNet101(weights=None, include_top=False)
    model.save_weights(tmp_path / "resnet101.weights.h5")
    values = keras_2d.read(str(tmp_path / "resnet101.weights.h5"), epsilon=1e-5).values
    backbone = networks.tiny(101)
    assert values.keys() == assignment.variables(backbone).keys()
    np.testing.assert_array_equal(
        values["stages/2/22/convolutions/1/kernel"][0],
        model.get_layer("conv4_block23_2_conv").kernel,
    )


@pytest.mark.parametrize("epsilon", [1e-5, 1e-3])
def test_batch_norms_with_another_epsilon_give_the_same(file, epsilon):
    weights = keras_2d.read(file, epsilon=epsilon).values
    name = "stages/1/2/norms/1"
    norm = _keras().get_layer("conv3_block3_2_bn")
    ours = weights[f"{name}/gamma"] / np.sqrt(weights[f"{name}/moving_variance"] + epsilon)
    theirs = norm.gamma / np.sqrt(norm.moving_variance + 1.001e-5)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def _refused(backbone, path, words):
    before = networks.values(backbone)
    with pytest.raises(errors.UserError) as refusal:
        checkpoints.load_backbone(backbone, str(path))
    assert networks.unchanged(backbone, before)
    for word in [str(path), *words]:
        assert word in str(refusal.value)


def test_another_architecture_is_refused_by_name(file):
    _refused(
        networks.tiny(50), file, ["265 of another shape", "[1, 1, 1, 64, 256], [1, 1, 1, 4, 16]"]
    )
    _refused(networks.tiny(101), file, ["17 missing", "stages/2/6\n"])
    _refused(networks.tiny(34), file, ["left over", "stages/0/0/convolutions/2\n"])


def test_another_keras_model_is_refused(tmp_path):
    other = tf.keras.Sequential([tf.keras.layers.Conv2D(2, 3, name="conv"), tf.keras.layers.ReLU()])
    other.build([None, 8, 8, 3])
    other.save_weights(tmp_path / "other.h5")
    _refused(networks.tiny(), tmp_path / "other.h5", ["no ResNet50 or ResNet101"])


@pytest.mark.parametrize("name", ["notes.txt", "weights.h5", "model.keras"])
def test_a_file_of_something_else_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"no weights")
    _refused(networks.tiny(), tmp_path / name, ["neither a checkpoint nor a file of Keras weights"])


def _add_one(unused_name, item):
    if isinstance(item, h5py.Dataset):
        item[...] += 1


def test_left_over_layers_are_named(tmp_path, file, loaded):
    with h5py.File(file) as whole, h5py.File(tmp_path / "more.h5", "w") as more:
        for name in whole:
            whole.copy(name, more)
        more.visititems(_add_one)  # `loaded` has the values of `file` already.
        more["conv2_block1_preact_bn/conv2_block1_preact_bn/gamma:0"] = np.ones(64)
        del more["conv2_block1_2_bn"]
    _refused(
        loaded,
        tmp_path / "more.h5",
        ["2 missing", "stages/0/0/norms/1", "2 left over", "conv2_block1_preact_bn"],
    )
