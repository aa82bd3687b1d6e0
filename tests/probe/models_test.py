# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A SavedModel is asked for the clips that evaluation takes, and their mean is the video's."""

import dataclasses
import os

import numpy as np
import pytest
import tensorflow as tf

from official_cvrl import errors
from official_cvrl.data import clip_format
from official_cvrl.probe import models
from tests.data import shards

_CLIP = clip_format.ClipFormat(num_frames=2, temporal_stride=3, min_resize=8, crop_size=8)


class _BytesOfFrames(tf.Module):
    """Embeds a clip as the lengths of its JPEGs: which frames it is asked about, it tells."""

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.string, name="frames")])
    def encoded_frames(self, frames):
        return {"embedding": tf.cast(tf.strings.length(frames), tf.float32)}


def _saved(folder, signature="encoded_frames"):
    module = _BytesOfFrames()
    tf.saved_model.save(module, str(folder), signatures={signature: module.encoded_frames})
    os.makedirs(folder / "assets.extra", exist_ok=True)
    (folder / clip_format.SERVED_FILE).write_text(_CLIP.to_json())
    return str(folder)


def test_the_mean_over_clips_spread_over_each_video(tmp_path, capsys):
    frames = [shards.jpegs(10, seed=number) for number in range(3)]
    changes = {f"video_{number}": part for number, part in enumerate(frames)}
    shards.write(tmp_path, 2, 1, split="test", **changes)
    model = models.SavedModel(_saved(tmp_path / "model"), chosen_views=models.Views(num_clips=13))
    found = model.embed(str(tmp_path), "test")
    assert found.example_ids.tolist() == ["video 0", "video 1", "video 2"]
    assert found.labels.tolist() == [0, 1, 2]
    assert "embed test: 3/3 videos" in capsys.readouterr().err
    # Thirteen clips of frames s and s + 3 begin evenly from the first frame to the seventh.
    starts = np.linspace(0, 6, 13).astype(int)
    for part, embedding in zip(frames, found.embeddings, strict=True):
        lengths = np.array([len(jpeg) for jpeg in part])
        expected = [lengths[starts].mean(), lengths[starts + 3].mean()]
        np.testing.assert_allclose(embedding, expected, rtol=1e-6)


def test_another_saved_model_makes_other_embeddings(tmp_path):
    (tmp_path / "model").mkdir()
    views = models.Views(num_clips=1)
    made_of = models.SavedModel(_saved(tmp_path / "model"), chosen_views=views).made_of
    changed = models.SavedModel(_saved(tmp_path / "model"), chosen_views=models.Views()).made_of
    assert changed != made_of
    with open(tmp_path / "model" / "saved_model.pb", "ab") as file:
        file.write(tf.compat.v1.GraphDef().SerializeToString() + b"\x08\x01")
    weights = models.SavedModel(str(tmp_path / "model"), chosen_views=views).made_of
    assert weights != made_of
    other = dataclasses.replace(_CLIP, temporal_stride=2)
    (tmp_path / "model" / clip_format.SERVED_FILE).write_text(other.to_json())
    assert models.SavedModel(str(tmp_path / "model"), chosen_views=views).made_of != weights


def test_a_saved_model_that_cannot_be_asked(tmp_path):
    folder = _saved(tmp_path / "model", signature="other")
    with pytest.raises(errors.UserError, match="has no signature encoded_frames"):
        models.SavedModel(folder, chosen_views=models.Views())


def test_records_that_cannot_be_embedded_are_named(tmp_path):
    shards.write(tmp_path, 2, split="test")
    (path,) = tmp_path.glob("test-*")
    content = bytearray(path.read_bytes())
    content[-200] ^= 255
    path.write_bytes(content)
    model = models.SavedModel(_saved(tmp_path / "model"), chosen_views=models.Views())
    with pytest.raises(errors.UserError, match="video 2 of split 'test' cannot be embedded"):
        model.embed(str(tmp_path), "test")


def test_records_of_another_kind_are_named_and_the_bar_ends(tmp_path, capsys):
    model = models.SavedModel(_saved(tmp_path / "model"), chosen_views=models.Views())
    shards.write(tmp_path, 3, split="test")
    (tmp_path / "labels.txt").write_text("one\ntwo\n")
    with pytest.raises(errors.UserError, match="video 3 .*'video 2' has the label 2.* names 2"):
        model.embed(str(tmp_path), "test")
    assert "embed test: 2/3 videos" in capsys.readouterr().err
    (path,) = tmp_path.glob("test-*")
    first, *_ = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in (first, tf.train.Example().SerializeToString()):
            writer.write(record)
    with pytest.raises(errors.UserError, match="video 2 of split 'test' .* it has no frames"):
        model.embed(str(tmp_path), "test")


def test_a_video_is_named_as_in_training(tmp_path):
    model = models.SavedModel(_saved(tmp_path / "model"), chosen_views=models.Views())
    shards.write(tmp_path, 1, split="test")
    (path,) = tmp_path.glob("test-*")
    (record,) = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    record = tf.train.SequenceExample.FromString(record)
    del record.context.feature["example/id"]
    record.context.feature["clip/data_path"].bytes_list.value[:] = [b"a/b.mp4"]
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(record.SerializeToString())
    assert model.embed(str(tmp_path), "test").example_ids.tolist() == ["a/b.mp4@0"]


def test_a_checkpoint_names_its_run_and_another_path_only_itself(tmp_path):
    (tmp_path / "ckpt-3.index").touch()
    assert models.run_folder(str(tmp_path / "ckpt-3")) == str(tmp_path)
    assert models.run_folder(str(tmp_path / "ckpt-4")) == str(tmp_path / "ckpt-4")
