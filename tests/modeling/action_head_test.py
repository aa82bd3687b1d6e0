# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The action head: the order of its reductions, its padding, its parts in training."""

import numpy as np
import pytest
import tensorflow as tf

from official_cvrl.modeling import action_head, resnet_3d, roi_align


def _inputs():
    generator = np.random.default_rng(0)
    features = generator.normal(size=[2, 3, 4, 5, 6]).astype(np.float32)
    low, high = generator.uniform(0, 0.5, [2, 4, 2]), generator.uniform(0.5, 1, [2, 4, 2])
    return features, np.concatenate([low, high], -1).astype(np.float32)


def test_is_the_mean_over_time_of_each_frame_then_the_max_over_space():
    head = action_head.ActionHead(3, roi_size=2)
    features, boxes = _inputs()
    logits = head(features, boxes)
    of_frames = [
        roi_align.roi_align(features[:, frame], boxes, output_size=2).numpy() for frame in range(3)
    ]
    persons = np.mean(of_frames, axis=0).max(axis=(2, 3))
    kernel, bias = (weight.numpy() for weight in head.weights)
    assert np.ptp(logits) > 0
    np.testing.assert_allclose(logits, persons @ kernel + bias, atol=1e-6)


def test_a_box_does_not_change_what_another_gets():
    head = action_head.ActionHead(3)
    features, boxes = _inputs()
    padded = np.concatenate([boxes[:, :1], np.zeros([2, 5, 4], np.float32)], axis=1)
    np.testing.assert_allclose(head(features, padded)[:, 0], head(features, boxes)[:, 0], atol=1e-6)


def test_dropout_is_for_training_alone_and_the_seed_says_what():
    head = action_head.ActionHead(3, dropout_rate=0.5)
    features, boxes = _inputs()
    seeds = tf.constant([[1, 2], [3, 4]])
    dropped = head(features, boxes, seeds)
    assert np.any(dropped != head(features, boxes))
    np.testing.assert_array_equal(dropped, head(features, boxes, seeds))
    swapped = head(features[::-1], boxes[::-1], seeds[::-1])
    np.testing.assert_allclose(swapped, dropped[::-1], atol=1e-6)
    means = [head(features, boxes, seeds + step).numpy() for step in range(0, 400, 2)]
    np.testing.assert_allclose(np.mean(means, axis=0), head(features, boxes), atol=0.01)


def test_is_made_again_from_its_config():
    head = action_head.ActionHead(3, roi_size=5, dropout_rate=0.1)
    assert action_head.ActionHead.from_config(head.get_config()).get_config() == head.get_config()


def test_conv5_of_a_dilated_backbone_keeps_stride_16():
    backbone = resnet_3d.ResNet3D(
        18, 1 / 16, spatial_strides=(1, 2, 2, 1), spatial_dilations=(1, 1, 1, 2)
    )
    endpoints = backbone(tf.zeros([1, 4, 64, 96, 3]))
    assert endpoints["conv5"].shape[2:4] == (4, 6)


@pytest.mark.parametrize("wrong", [{"num_classes": 0}, {"roi_size": 0}, {"dropout_rate": 1.0}])
def test_what_makes_no_head_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        action_head.ActionHead(**({"num_classes": 3} | wrong))
