# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Published checkpoints: the backbone is found wherever it stands, and fits or is refused."""

import numpy as np
import pytest
import tensorflow as tf
from official.projects.video_ssl.configs import video_ssl as video_ssl_cfg
from official.projects.video_ssl.modeling import video_ssl_model

from official_cvrl import checkpoints, errors
from official_cvrl.modeling import resnet_3d
from tests.weights import networks


@pytest.fixture(scope="module", name="ours")
def _ours():
    return resnet_3d.ResNet3D(50)


@pytest.fixture(scope="module", name="path")
def _path(tmp_path_factory):
    """A checkpoint like those that are published."""
    path = str(tmp_path_factory.mktemp("published") / "ckpt")
    return tf.train.Checkpoint(backbone=networks.published()).write(path)


def _training():
    """What the published training saves: model, optimizer, step, and mostly the backbone again."""
    model = video_ssl_model.VideoSSLModel(
        networks.published(),
        normalize_feature=False,
        hidden_dim=8,
        hidden_layer_num=1,
        hidden_norm_args=video_ssl_cfg.VideoSSLModel().hidden_norm_activation,
        projection_dim=4,
    )
    optimizer = tf.keras.optimizers.SGD(0.1, momentum=0.9)
    optimizer.build(model.trainable_variables)
    return {
        "model": model,
        "optimizer": optimizer,
        "global_step": tf.Variable(7),
        **model.checkpoint_items,
    }


def _save(path, items):
    return tf.train.Checkpoint(**items).save(str(path / "ckpt"))


@pytest.mark.parametrize("left_out", [[], ["backbone"]])
def test_in_a_training_checkpoint(tmp_path, ours, left_out):
    items = _training()
    path = _save(tmp_path, {name: item for name, item in items.items() if name not in left_out})
    networks.randomize(ours, seed=5)
    assert checkpoints.load_backbone(ours, str(tmp_path)) == path
    clips = networks.clips(1, 2, 32, 32, 3)
    expected = networks.published()(clips, training=False)["5"].numpy()
    loaded = ours(clips, training=False)["conv5"].numpy()
    np.testing.assert_allclose(loaded, expected, atol=1e-4 * expected.max())


def test_the_backbone_saved_by_itself(tmp_path, ours):
    networks.published().save_weights(str(tmp_path / "weights"), save_format="tf")
    networks.randomize(ours, seed=5)
    checkpoints.load_backbone(ours, str(tmp_path / "weights.index"))
    expected = sum(variable.numpy().sum() for variable in networks.published().variables)
    # In the published blocks, convolutions that serve no shortcut have no variables.
    assert len(ours.variables) == len(networks.published().variables)
    assert sum(v.numpy().sum() for v in ours.variables) == pytest.approx(expected, rel=1e-4)


def _refused(backbone, path):
    before = networks.values(backbone)
    with pytest.raises(errors.UserError, match="nothing was loaded") as refusal:
        checkpoints.load_backbone(backbone, path)
    assert networks.unchanged(backbone, before)
    assert path in str(refusal.value)
    return str(refusal.value)


def test_another_depth_is_refused_by_name(path):
    message = _refused(networks.tiny(34), path)
    assert "left over:" in message
    assert "\n    stages/0/0/norms/2\n" in message  # Basic blocks have two convolutions.
    message = _refused(networks.tiny(101), path)
    assert "17 missing:\n    stages/2/6\n" in message
    assert message.endswith("stages/2/22")


def test_another_width_is_refused_by_name(path):
    message = _refused(networks.tiny(50), path)
    assert "265 of another shape:" in message
    assert "stem_convolution/kernel: [5, 7, 7, 3, 64], [5, 7, 7, 3, 4] expected" in message


def test_one_frame_is_inflated_and_others_are_not(path):
    ours = resnet_3d.ResNet3D(50, temporal_kernel_sizes=(3, 1, 3, 3))
    checkpoints.load_backbone(ours, path)
    (kernel,) = networks.published().layers[5]._temporal_conv.weights
    np.testing.assert_allclose(
        ours.stages[0][0].convolutions[0].kernel, np.repeat(kernel, 3, axis=0) / 3, rtol=1e-6
    )
    message = _refused(resnet_3d.ResNet3D(50, stem_temporal_kernel_size=3), path)
    assert "1 of another shape:" in message
    assert "[5, 7, 7, 3, 64], [3, 7, 7, 3, 64] expected" in message


def test_parts_that_ours_has_not_are_refused_by_name(tmp_path, ours):
    other = networks.make_published(use_self_gating=[False, False, False, True], stem_type="v1")
    message = _refused(ours, _save(tmp_path, {"backbone": other}))
    assert "stem_convolution/kernel: [5, 3, 3, 3, 32]" in message
    assert "12 left over:" in message  # Two more convolutions and norms in the stem, and the gate.
    assert "/_self_gating/_transformer_w/kernel" in message
