# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Checkpoints are restored whole or not at all, and say why not."""

import os

import tensorflow as tf

from official_cvrl import checkpoints, errors


def _dense(units, inputs=3, name="dense"):
    layer = tf.keras.layers.Dense(units, name=name)
    layer.build([None, inputs])
    return layer


class CheckpointsTest(tf.test.TestCase):
    def _save(self, **items):
        path = os.path.join(self._folder(), "ckpt")
        return tf.train.Checkpoint(**items).save(path)

    def _folder(self):
        folder = os.path.join(self.get_temp_dir(), self.id())
        os.makedirs(folder)
        return folder

    def test_round_trip(self):
        saved, fresh = _dense(4), _dense(4)
        checkpoints.restore(tf.train.Checkpoint(layer=fresh), self._save(layer=saved))
        self.assertAllEqual(fresh.kernel, saved.kernel)

    def test_another_shape_loads_nothing_and_names_the_variable(self):
        path = self._save(first=_dense(4), second=_dense(4))
        first, second = _dense(4), _dense(5)
        before = first.kernel.numpy()
        with self.assertRaisesRegex(errors.UserError, r"second/kernel: of shape \[3, 4\]"):
            checkpoints.restore(tf.train.Checkpoint(first=first, second=second), path)
        self.assertAllEqual(first.kernel, before)

    def test_a_missing_variable_is_named(self):
        path = self._save(first=_dense(4))
        items = tf.train.Checkpoint(first=_dense(4), second=_dense(4))
        with self.assertRaisesRegex(errors.UserError, "second/kernel: missing"):
            checkpoints.restore(items, path)

    def test_backbone_out_of_a_run(self):
        saved, fresh = _dense(4), _dense(4)
        path = self._save(backbone=saved, projection_head=_dense(2))
        self.assertEqual(checkpoints.load_backbone(fresh, os.path.dirname(path)), path)
        self.assertAllEqual(fresh.kernel, saved.kernel)

    def test_a_checkpoint_without_backbone(self):
        path = self._save(model=_dense(4))
        with self.assertRaisesRegex(errors.UserError, "holds no backbone"):
            checkpoints.load_backbone(_dense(4), path)

    def test_no_checkpoint_there(self):
        with self.assertRaisesRegex(errors.UserError, "No checkpoint at"):
            checkpoints.latest(self._folder())

    def test_a_broken_file(self):
        path = self._save(backbone=_dense(4))
        with open(path + ".index", "wb") as file:
            file.write(b"not a table")
        with self.assertRaisesRegex(errors.UserError, "cannot be read as a checkpoint"):
            checkpoints.load_backbone(_dense(4), path)


if __name__ == "__main__":
    tf.test.main()
