# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The detector that a run trained: backbone and action head, with the way they are tested."""

import shlex

import numpy as np
import tensorflow as tf

from official_cvrl import errors, run_info
from official_cvrl.data import detection
from official_cvrl.modeling import action_head as action_head_lib
from official_cvrl.modeling import resnet_3d
from official_cvrl.tasks import views

# Tables of boxes are filled up to a multiple of it: other shapes are traced anew.
_BOXES_AT_ONCE = 8


def probabilities(
    backbone: resnet_3d.ResNet3D,
    action_head: action_head_lib.ActionHead,
    clips: tf.Tensor,
    boxes: tf.Tensor,
) -> tf.Tensor:
    """Returns how likely the person in each box does what.

    Args:
        backbone: makes conv5.
        action_head: makes logits of it.
        clips: uint8 [batch, num_frames, height, width, 3].
        boxes: float32 [batch, num_boxes, 4] in [0, 1] of `height` and `width`.

    Returns:
        float32 [batch, num_boxes, num_classes] in [0, 1].
    """
    conv5 = backbone(views.to_float(clips), training=False)["conv5"]
    return tf.sigmoid(action_head(conv5, boxes))


class Detector:
    """What a run trained to say what persons in boxes do.

    Args:
        model_dir: the run's folder.

    Attributes:
        checkpoint: where the weights are from.
        data_dir: folder of the records that it was trained on.
        label_names: of the classes, in order.
        tested: how key frames are shown to it.

    Raises:
        UserError: there is no such run, it trained no detector, or has no checkpoint.
    """

    def __init__(self, model_dir: str):
        info = run_info.read_trained(model_dir)
        if info.action_head is None or info.key_frames is None:
            raise errors.UserError(
                f"{model_dir} trained no detector (python train.py --gin_file=detect.gin); it did "
                "if an earlier version of this package made it: give its command once more, with "
                f"--mode=train --data_dir={shlex.quote(info.data_dir)}, which describes a "
                "finished run anew."
            )
        backbone, self.checkpoint = run_info.load_backbone(model_dir, info)
        head = run_info.load_action_head(
            self.checkpoint, info, embedding_dim=backbone.embedding_dim
        )
        self.data_dir, self.label_names = info.data_dir, tuple(info.label_names)
        self.tested = detection.TestInput(clip=info.clip, global_batch_size=1, **info.key_frames)
        self._probabilities = tf.function(
            lambda clips, boxes: probabilities(backbone, head, clips, boxes), autograph=False
        )

    def scores(self, clip: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Returns how likely the persons of one clip do what.

        Args:
            clip: uint8 [num_frames, min_resize, longest_side, 3], as `tested` makes it.
            boxes: float32 [num_boxes, 4], ymin, xmin, ymax, xmax on that canvas, in [0, 1].

        Returns:
            float32 [num_boxes, num_classes] in [0, 1].
        """
        filled = np.zeros([-(-len(boxes) // _BOXES_AT_ONCE) * _BOXES_AT_ONCE, 4], np.float32)
        filled[: len(boxes)] = boxes
        found = self._probabilities(tf.constant(clip)[tf.newaxis], tf.constant(filled)[tf.newaxis])
        return found[0, : len(boxes)].numpy()
