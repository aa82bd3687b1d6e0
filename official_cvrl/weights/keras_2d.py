# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""2-D weights of Keras applications' ResNet50 and ResNet101, as weights of our backbone.

These networks want BGR pixels in 0 … 255 less their means, have biases in their convolutions, and
another ε in their batch norms. All that goes into the batch norms here, so that the backbone takes
RGB in [0, 1] as always. docs/weights.md says what remains different.
"""

import io
import re
import zipfile
from collections.abc import Iterator, Mapping

import h5py
import numpy as np
import tensorflow as tf

from official_cvrl import errors
from official_cvrl.weights import stored

_PIXEL_SCALE = 255.0
_MEAN_BGR = (103.939, 116.779, 123.68)
_EPSILON = 1.001e-5
_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
_UNIT = re.compile(r"conv1|conv([2-5])_block(\d+)_([0-3])")
# By the number of convolutions: how many blocks conv2 … conv5 have.
_NUMS_BLOCKS = {53: (3, 4, 6, 3), 104: (3, 4, 23, 3), 155: (3, 8, 36, 3)}

_Layers = dict[str, dict[str, np.ndarray]]


def read(path: str, *, epsilon: float) -> stored.StoredWeights:
    """Reads a file of `save_weights` or `save`: HDF5 (.h5, .weights.h5) or .keras.

    Args:
        path: the file.
        epsilon: ε of the backbone's batch norms.

    Returns:
        Kernels [1, height, width, in, out], to be inflated, and batch norms. Classifiers are left
        out.

    Raises:
        UserError: it is no such file, or holds another model.
    """
    layers = _layers(path)
    values = {}
    for unit in _units(layers):
        convolution, norm = layers.pop(f"{unit}_conv"), layers.pop(f"{unit}_bn")
        if unit == "conv1":
            convolution, norm = _for_our_pixels(convolution, norm)
        converted = _without_bias(convolution, norm, epsilon=epsilon)
        values |= {_our_name(unit, name): value for name, value in converted.items()}
    if not values:
        raise errors.UserError(
            f"{path} holds no ResNet50 or ResNet101 of Keras applications: no layers conv1_conv, "
            "conv1_bn, conv2_block1_1_conv, …"
        )
    return stored.StoredWeights(values, [name for name in layers if _is_of_backbone(name, layers)])


def _units(layers):
    """The common names of convolutions and batch norms that are both there, and complete."""
    units = [name.removesuffix("_conv") for name in layers if name.endswith("_conv")]
    return [
        unit
        for unit in units
        if _UNIT.fullmatch(unit)
        and "kernel" in layers[f"{unit}_conv"]
        and layers.get(f"{unit}_bn", {}).keys() >= set(_NORM)
    ]


def _our_name(unit, variable):
    kind = "convolution" if variable == "kernel" else "norm"
    if unit == "conv1":
        return f"stem_{kind}/{variable}"
    stage, block, number = map(int, _UNIT.fullmatch(unit).groups())
    layer = f"{kind}s/{number - 1}" if number else f"shortcut_{kind}"
    return f"stages/{stage - 2}/{block - 1}/{layer}/{variable}"


def _is_of_backbone(name, layers):
    """Whether a layer is more than a classifier put on top."""
    return name.startswith("conv") or any(value.ndim == 4 for value in layers[name].values())


def _for_our_pixels(convolution, norm):
    """Makes the first layer take RGB in [0, 1].

    With pixels p = 255 x − mean, K ∗ p = 255 (K ∗ x) − K ∗ mean. The factor goes to the moving
    statistics and not to the kernel: there it would change what a learning rate and a weight decay
    mean, 255²-fold.
    """
    kernel = convolution["kernel"]
    if kernel.shape[2] != len(_MEAN_BGR):
        return convolution, norm  # To be refused for its shape.
    bias = convolution.get("bias", 0.0) - np.einsum("hwio,i->o", kernel, _MEAN_BGR)
    convolution = {"kernel": kernel[:, :, ::-1], "bias": bias / _PIXEL_SCALE}
    variance = norm["moving_variance"].astype(np.float64)
    return convolution, norm | {
        "moving_mean": norm["moving_mean"] / _PIXEL_SCALE,
        # ε is theirs still, and is scaled with the variance.
        "moving_variance": (variance + _EPSILON) / _PIXEL_SCALE**2 - _EPSILON,
    }


def _without_bias(convolution, norm, *, epsilon):
    """Returns kernel and batch norm that give the same in inference, without bias, with our ε."""
    variance = norm["moving_variance"].astype(np.float64) + _EPSILON
    ours = np.maximum(variance - epsilon, 0)
    return {
        "kernel": convolution["kernel"][np.newaxis],
        # 1 unless the variance is below ε.
        "gamma": norm["gamma"] * np.sqrt((ours + epsilon) / variance),
        "beta": norm["beta"],
        "moving_mean": norm["moving_mean"] - convolution.get("bias", 0.0),
        "moving_variance": ours,
    }


def _layers(path) -> _Layers:
    """Returns the variables of each layer by name, from whichever layout the file has."""
    try:
        with h5py.File(_hdf5(path)) as file:
            weights = file.get("model_weights", file)
            layers = dict(_numbered(weights)) or _named(weights)
    except (OSError, KeyError, RuntimeError, zipfile.BadZipFile, tf.errors.OpError) as error:
        raise errors.UserError(
            f"{path} cannot be read: it is neither a checkpoint nor a file of Keras weights (.h5, "
            f".weights.h5 or .keras): {error}"
        ) from error
    return _renamed(layers)


def _hdf5(path):
    with tf.io.gfile.GFile(path, "rb") as file:
        content = io.BytesIO(file.read())
    if not zipfile.is_zipfile(content):
        return content
    with zipfile.ZipFile(content) as archive:
        return io.BytesIO(archive.read("model.weights.h5"))


def _named(file) -> _Layers:
    """Layers of the older layout: …/LAYER/VARIABLE:0."""
    layers: _Layers = {}
    for path, value in _datasets(file):
        if path.count("/"):
            *_, layer, variable = path.split(":")[0].split("/")
            layers.setdefault(layer, {})[variable] = value
    return layers


def _numbered(file) -> Iterator[tuple[str, Mapping[str, np.ndarray]]]:
    """Layers of the newer layout: …/CLASS_N/vars/0, 1, …; later Kerases add the layer's name."""
    groups: dict[str, dict[int, np.ndarray]] = {}
    for path, value in _datasets(file):
        match = re.fullmatch(r"(.+)/vars/(\d+)", path)
        if match and not path.startswith("optimizer"):
            groups.setdefault(match[1], {})[int(match[2])] = value
    for path, variables in groups.items():
        name = file[f"{path}/vars"].attrs.get("name", path.rpartition("/")[2])
        values = [value for _, value in sorted(variables.items())]
        is_norm = len(values) == len(_NORM) and all(value.ndim == 1 for value in values)
        yield name, dict(zip(_NORM if is_norm else ("kernel", "bias"), values, strict=False))


def _datasets(file):
    found = []

    def add(path, item):
        if isinstance(item, h5py.Dataset):
            found.append((path, item[()]))

    file.visititems(add)
    return found


def _renamed(layers):
    """Gives layers that are only numbered the names that they have in Keras applications."""
    convolutions, norms = (
        [name for name in sorted(layers, key=_number) if re.fullmatch(rf"{kind}(_\d+)?", name)]
        for kind in ("conv2d", "batch_normalization")
    )
    units = list(_layer_order(_NUMS_BLOCKS.get(len(convolutions), ())))
    if len(units) != len(norms):
        return layers
    names = {name: f"{unit}_conv" for name, unit in zip(convolutions, units, strict=True)}
    names |= {name: f"{unit}_bn" for name, unit in zip(norms, units, strict=True)}
    return {names.get(name, name): variables for name, variables in layers.items()}


def _number(name):
    digits = name.rpartition("_")[2]
    return int(digits) if digits.isdecimal() else 0


def _layer_order(nums_blocks):
    """The units in the order of the model's layers: a shortcut before the last of its block."""
    if nums_blocks:
        yield "conv1"
    for stage, num_blocks in enumerate(nums_blocks, 2):
        for block in range(1, num_blocks + 1):
            for unit in (1, 2, 0, 3) if block == 1 else (1, 2, 3):
                yield f"conv{stage}_block{block}_{unit}"
