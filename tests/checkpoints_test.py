# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Checkpoints are restored whole or not at all, and say why not."""

import os
import pathlib

import numpy as np
import tensorflow as tf

from official_cvrl import checkpoints, errors
from tests import replicas
from tests.weights import networks


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
        saved, fresh = networks.tiny(), networks.tiny()
        path = self._save(backbone=saved, projection_head=_dense(2))
        for given in (path, os.path.dirname(path), f"{path}.index", f"{path}.data-00000-of-00001"):
            networks.randomize(fresh, seed=5)
            self.assertEqual(checkpoints.load_backbone(fresh, given), path)
            self.assertTrue(networks.unchanged(fresh, networks.values(saved)))

    def test_backbone_under_another_name(self):
        saved, fresh = networks.tiny(), networks.randomize(networks.tiny(), seed=5)
        checkpoints.load_backbone(fresh, self._save(encoder=tf.Module(), it=saved))
        self.assertTrue(networks.unchanged(fresh, networks.values(saved)))

    def test_every_replica_gets_the_backbone(self):
        saved = networks.tiny()
        path = self._save(backbone=saved)
        with replicas.two_replicas().scope():
            fresh = networks.randomize(networks.tiny(), seed=5)
        checkpoints.load_backbone(fresh, path)
        for variable, value in zip(fresh.variables, networks.values(saved), strict=True):
            for copy in replicas.two_replicas().experimental_local_results(variable):
                self.assertAllEqual(copy, value)

    def test_a_2d_backbone_is_inflated_over_time(self):
        for depth in (18, 50):
            flat, inflated = networks.tiny_2d(depth), networks.tiny(depth)
            prefix = os.path.join(self.get_temp_dir(), f"flat-{depth}")
            path = tf.train.Checkpoint(backbone=flat).save(prefix)
            checkpoints.load_backbone(inflated, path)
            clip = networks.still(44, 32, 32, 3)
            expected = flat(clip, training=False)["conv5"][:, 11]
            ours = inflated(clip, training=False)["conv5"][:, 11]
            self.assertAllClose(ours, expected, atol=1e-4 * np.max(expected), rtol=0)

    def test_no_backbone_is_flattened(self):
        path = self._save(backbone=networks.tiny())
        flat = networks.tiny_2d()
        before = networks.values(flat)
        with self.assertRaisesRegex(errors.UserError, r"conv.*/kernel: \[3, 3, 3, 16, 16\], \[1"):
            checkpoints.load_backbone(flat, path)
        self.assertTrue(networks.unchanged(flat, before))

    def test_another_backbone_is_refused_by_name(self):
        path = self._save(backbone=networks.tiny(34))
        fresh = networks.tiny(18)
        before = networks.values(fresh)
        with self.assertRaises(errors.UserError) as refusal:
            checkpoints.load_backbone(fresh, path)
        message = str(refusal.exception)
        self.assertIn("8 left over:\n    stages/0/2\n    stages/1/2\n    stages/1/3\n", message)
        self.assertTrue(networks.unchanged(fresh, before))

    def test_missing_blocks_are_named_once(self):
        path = self._save(backbone=networks.tiny(18))
        with self.assertRaisesRegex(errors.UserError, r"8 missing:\n    stages/0/2\n"):
            checkpoints.load_backbone(networks.tiny(34), path)

    def test_damaged_values_load_nothing(self):
        path = self._save(backbone=networks.tiny())
        data = f"{path}.data-00000-of-00001"
        with open(data, "rb") as file:
            content = bytearray(file.read())
        content[len(content) // 2] ^= 255
        with open(data, "wb") as file:
            file.write(content)
        fresh = networks.tiny()
        before = networks.values(fresh)
        with self.assertRaisesRegex(errors.UserError, "cannot be read as a checkpoint"):
            checkpoints.load_backbone(fresh, path)
        self.assertTrue(networks.unchanged(fresh, before))

    def test_a_checkpoint_without_backbone(self):
        path = self._save(model=_dense(4))
        with self.assertRaisesRegex(errors.UserError, "holds no backbone"):
            checkpoints.load_backbone(networks.tiny(), path)

    def test_no_checkpoint_there(self):
        with self.assertRaisesRegex(errors.UserError, "No checkpoint at"):
            checkpoints.find(self._folder())
        with self.assertRaisesRegex(errors.UserError, "No checkpoint at"):
            checkpoints.load_backbone(networks.tiny(), os.path.join(self.get_temp_dir(), "nothing"))

    def test_checkpoints_are_found_without_the_file_that_names_them(self):
        folder, checkpoint = self._folder(), tf.train.Checkpoint(layer=_dense(1))
        for step in (9, 10):
            checkpoint.write(os.path.join(folder, f"ckpt-{step}"))
        checkpoint.write(os.path.join(folder, "others-11"))
        self.assertEndsWith(checkpoints.latest(folder), "ckpt-10")
        state = pathlib.Path(folder, "checkpoint")
        state.write_text('model_checkpoint_path: "ckpt-9" all_model_checkpoint_paths: "ckpt-9"')
        self.assertEndsWith(checkpoints.latest(folder), "ckpt-9")
        state.write_text("")
        with self.assertRaisesRegex(errors.UserError, "/checkpoint names no checkpoint. Remove"):
            checkpoints.latest(folder)

    def test_a_path_that_cannot_be_opened(self):
        with self.assertRaisesRegex(errors.UserError, "cannot open nowhere:// paths"):
            checkpoints.find("nowhere://bucket/ckpt-1")

    def test_a_broken_file(self):
        path = self._save(backbone=networks.tiny())
        with open(path + ".index", "wb") as file:
            file.write(b"not a table")
        with self.assertRaisesRegex(errors.UserError, "cannot be read as a checkpoint"):
            checkpoints.load_backbone(networks.tiny(), path)


if __name__ == "__main__":
    tf.test.main()
