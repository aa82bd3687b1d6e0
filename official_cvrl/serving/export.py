# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Writes a run's backbone as a SavedModel that plain TensorFlow, or TF Serving, loads."""

import os
import shutil
import sys
import tempfile

import tensorflow as tf
from absl import app, flags, logging

from official_cvrl import errors, run_info
from official_cvrl.data import clip_format, spatial


class FeatureExtractor(tf.Module):
    """Clips of any size in, embeddings out.

    Args:
        backbone: a built backbone.
        clip: the format that the backbone was evaluated with.
    """

    def __init__(self, backbone: tf.keras.Model, clip: clip_format.ClipFormat):
        super().__init__()
        self._backbone, self._clip = backbone, clip
        signature = tf.TensorSpec([None, clip.num_frames, None, None, 3], tf.uint8, name="clips")
        self.embed = tf.function(self._embed, input_signature=[signature])

    def _embed(self, clips):
        """Embeds clips, resized and cropped to the centre exactly as in evaluation.

        Args:
            clips: uint8 [batch, num_frames, height, width, 3], RGB.

        Returns:
            {"embedding": float32 [batch, dim]}.
        """
        shape = tf.shape(clips)
        frames = tf.reshape(clips, [-1, shape[2], shape[3], 3])
        frames = spatial.center_crop(
            frames, min_resize=self._clip.min_resize, crop_size=self._clip.crop_size
        )
        size = self._clip.crop_size
        cropped = tf.reshape(frames, [-1, self._clip.num_frames, size, size, 3])
        floats = tf.cast(cropped, tf.float32) / 255.0
        return {"embedding": self._backbone(floats, training=False)["embedding"]}


def export(model_dir: str, output: str) -> str:
    """Exports the newest checkpoint of a run as the next version in a folder.

    Args:
        model_dir: folder of a training run.
        output: folder of versions, 1, 2, …; made if it is not there.

    Returns:
        The folder of the new version. It appears whole or not at all.

    Raises:
        UserError: no run or checkpoint there, or the output cannot be written.
    """
    info = run_info.read_trained(model_dir)
    backbone, _ = run_info.load_backbone(model_dir, info)
    module = FeatureExtractor(backbone, info.clip)
    try:
        os.makedirs(output, exist_ok=True)
        scratch = tempfile.mkdtemp(dir=output, prefix=".writing-")
        try:
            return _write(module, info.clip, scratch, output)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        raise errors.UserError(f"{output!r} cannot be written: {error}.") from error


def _write(module, clip, scratch, output):
    saved = os.path.join(scratch, "model")
    tf.saved_model.save(module, saved, signatures={"serving_default": module.embed})
    os.makedirs(os.path.dirname(os.path.join(saved, clip_format.SERVED_FILE)), exist_ok=True)
    with open(os.path.join(saved, clip_format.SERVED_FILE), "w", encoding="utf-8") as file:
        file.write(clip.to_json() + "\n")
    versions = [int(name) for name in os.listdir(output) if name.isdecimal()]
    target = os.path.join(output, str(max(versions, default=0) + 1))
    os.rename(saved, target)
    return target


def main(unused_argv):
    """Exports what the flags name; returns the exit code."""
    # Saving warns of functions that are not part of a signature, as they need not be.
    logging.set_verbosity(logging.ERROR)
    tf.get_logger().setLevel("ERROR")
    model_dir, output = flags.FLAGS.model_dir, flags.FLAGS.output
    try:
        if not model_dir or not output:
            raise errors.UserError("give --model_dir=RUN and --output=DIR")
        print(f"SavedModel: {export(model_dir, output)}")
    except errors.UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted; nothing was exported.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    # Here, because other commands have flags of the same names, and some import this one.
    flags.DEFINE_string("model_dir", None, "Folder of a training run.")
    flags.DEFINE_string("output", None, "Where OUTPUT/VERSION/saved_model.pb goes.")
    app.run(main)
