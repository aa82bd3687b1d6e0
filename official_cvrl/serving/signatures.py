# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What a SavedModel answers: four ways to hand videos over, one set of outputs."""

import dataclasses
import math
import types
from collections.abc import Mapping

import tensorflow as tf

from official_cvrl.data import clip_format, pipeline, spatial
from official_cvrl.tasks import views

# The paper's testing (section 4.1).
NUM_TEST_CLIPS, NUM_TEST_CROPS = 10, 3
_CLIPS_PER_PASS = 6
_TOP = 5


class Signatures(tf.Module):
    """A backbone, and its classifier if there is one, behind the signatures of a SavedModel.

    `serving_default`: `clips` uint8 [batch, num_frames, height, width, 3], RGB of any height and
    width; resized and cropped to the centre as in evaluation.
    `encoded_frames`: `frames` string [batch, num_frames], a JPEG or PNG each, of any sizes.
    `sequence_examples`: `examples` string [batch], records of this package; their middle clip.
    `multi_view`: `examples` as before; the mean over 10 clips × 3 crops, as in testing.

    Each gives `embedding` float32 [batch, dim] and `embedding_normalized`, the same over its ℓ2
    norm, and `temporal_stride` int32 [batch]: how many frames apart a clip's frames are to be, in
    every row the same, as a server tells nobody what lies beside the model. With a classifier also
    `logits` and `probabilities`, float32 [batch, num_classes], and `top_labels`, string
    [batch, min(5, num_classes)], the most probable class first. The mean over views is that of
    embeddings, of logits and of probabilities, each by itself.

    Rows do not depend on each other, so a server may batch requests.

    Attributes:
        dtype: name of the type that convolutions are computed in.
        xla: as given.
        functions: by signature, the `tf.function`.

    Args:
        backbone: a built backbone.
        clip: the format that it was evaluated with.
        classifier: a built `heads.LinearClassifier`, or None.
        label_file: path of the class names, one a line, in the order of the classes; becomes an
            asset. Needed with a classifier.
        xla: compile the model with XLA; decoding and resizing stay as they are.

    Raises:
        ValueError: a classifier without labels.
    """

    def __init__(
        self,
        backbone: tf.keras.Model,
        *,
        clip: clip_format.ClipFormat,
        classifier: tf.keras.layers.Layer | None = None,
        label_file: str = "",
        xla: bool = False,
    ):
        super().__init__()
        if classifier is not None and not label_file:
            raise ValueError(f"{label_file=} must name a file if there is a classifier.")
        self.dtype, self.xla = backbone.compute_dtype, xla
        self._clip = clip
        widths = {"embedding": backbone.embedding_dim}
        self._labels = None
        if classifier is not None:
            widths |= dict.fromkeys(("logits", "probabilities"), classifier.num_classes)
            self._labels = _label_table(label_file)
        # A module would take a dict for variables to be saved.
        self._widths = types.MappingProxyType(widths)
        # The variables alone: were the layers attributes, Keras would trace and save each of them.
        self._saved = [*backbone.variables, *(classifier.variables if classifier else ())]
        self._of_crops = tf.function(
            _of_crops(backbone, classifier, self._widths),
            input_signature=[tf.TensorSpec([None, *self._crop_shape], tf.uint8)],
            jit_compile=xla or None,
            autograph=False,
        )
        inputs = {
            "serving_default": (self._clips, tf.uint8, "clips", [clip.num_frames, None, None, 3]),
            "encoded_frames": (self._encoded_frames, tf.string, "frames", [clip.num_frames]),
            "sequence_examples": (self._sequence_examples, tf.string, "examples", []),
            "multi_view": (self._multi_view, tf.string, "examples", []),
        }
        self.functions = types.MappingProxyType(
            {
                name: tf.function(
                    method,
                    input_signature=[tf.TensorSpec([None, *shape], dtype, name=argument)],
                    autograph=False,
                )
                for name, (method, dtype, argument, shape) in inputs.items()
            }
        )

    def contract(self) -> Mapping[str, Mapping[str, Mapping[str, tf.TensorSpec]]]:
        """Returns, by signature, the specifications of "inputs" and "outputs" by name."""
        outputs = {
            name: tf.TensorSpec([None, width], tf.float32) for name, width in self._widths.items()
        }
        outputs["embedding_normalized"] = outputs["embedding"]
        outputs["temporal_stride"] = tf.TensorSpec([None], tf.int32)
        if self._labels is not None:
            outputs["top_labels"] = tf.TensorSpec([None, self._num_top], tf.string)
        return {
            name: {
                "inputs": {spec.name: spec for spec in function.input_signature},
                "outputs": outputs,
            }
            for name, function in self.functions.items()
        }

    @property
    def num_parameters(self) -> int:
        """How many numbers the model has, moving statistics among them."""
        return sum(math.prod(variable.shape) for variable in self._saved)

    @property
    def _crop_shape(self):
        return [self._clip.num_frames, self._clip.crop_size, self._clip.crop_size, 3]

    @property
    def _num_top(self):
        return min(_TOP, self._widths["probabilities"])

    def _clips(self, clips):
        shape = tf.shape(clips)
        frames = tf.reshape(clips, [-1, shape[2], shape[3], 3])
        return self._finished(self._of_crops(self._as_clips(self._crop(frames), shape[0])))

    def _encoded_frames(self, frames):
        def crop(frame):
            return self._crop(tf.io.decode_jpeg(frame, channels=3)[tf.newaxis])[0]

        crops = tf.map_fn(
            crop,
            tf.reshape(frames, [-1]),
            fn_output_signature=tf.TensorSpec(self._crop_shape[1:], tf.uint8),
        )
        return self._finished(self._of_crops(self._as_clips(crops, tf.shape(frames)[0])))

    def _sequence_examples(self, examples):
        middle = tf.map_fn(
            lambda example: self._views(example, num_test_clips=1, num_test_crops=1)[0],
            examples,
            fn_output_signature=tf.TensorSpec(self._crop_shape, tf.uint8),
        )
        return self._finished(self._of_crops(middle))

    def _multi_view(self, examples):
        means = tf.map_fn(
            self._mean_over_views,
            examples,
            fn_output_signature={
                name: tf.TensorSpec([width], tf.float32) for name, width in self._widths.items()
            },
            parallel_iterations=1,  # One video's views at a time bound the memory.
        )
        return self._finished(means)

    def _mean_over_views(self, example):
        all_views = self._views(
            example, num_test_clips=NUM_TEST_CLIPS, num_test_crops=NUM_TEST_CROPS
        )
        outputs = tf.map_fn(
            self._of_crops,
            tf.reshape(all_views, [-1, _CLIPS_PER_PASS, *self._crop_shape]),
            fn_output_signature={
                name: tf.TensorSpec([_CLIPS_PER_PASS, width], tf.float32)
                for name, width in self._widths.items()
            },
            parallel_iterations=1,
        )
        return {name: tf.reduce_mean(values, axis=[0, 1]) for name, values in outputs.items()}

    def _views(self, example, *, num_test_clips, num_test_crops):
        return pipeline.test_views(
            pipeline.parse(example),
            num_test_clips=num_test_clips,
            num_test_crops=num_test_crops,
            **dataclasses.asdict(self._clip),
        )

    def _crop(self, frames):
        return spatial.center_crop(
            frames, min_resize=self._clip.min_resize, crop_size=self._clip.crop_size
        )

    def _as_clips(self, crops, batch):
        # With the batch in it the reshape fails on another number of frames than the model takes;
        # servers do not look at shapes.
        return tf.reshape(crops, [batch, *self._crop_shape])

    def _finished(self, outputs):
        finished = dict(outputs)
        finished["embedding_normalized"] = tf.math.l2_normalize(outputs["embedding"], axis=-1)
        batch = tf.shape(outputs["embedding"])[:1]
        finished["temporal_stride"] = tf.fill(batch, self._clip.temporal_stride)
        if self._labels is not None:
            top = tf.math.top_k(outputs["probabilities"], k=self._num_top)
            finished["top_labels"] = self._labels.lookup(tf.cast(top.indices, tf.int64))
        return finished


def _of_crops(backbone, classifier, widths):
    """Makes the function from uint8 [batch, num_frames, crop, crop, 3] to what is averaged."""

    def of_crops(crops):
        embedding = backbone(views.to_float(crops), training=False)["embedding"]
        outputs = {"embedding": embedding}
        if classifier is not None:
            outputs["logits"] = classifier(embedding, training=False)
            outputs["probabilities"] = tf.nn.softmax(outputs["logits"])
        return {
            name: tf.ensure_shape(tf.cast(outputs[name], tf.float32), [None, width])
            for name, width in widths.items()
        }

    return of_crops


def _label_table(path):
    lines = tf.lookup.TextFileInitializer(
        path,
        tf.int64,
        tf.lookup.TextFileIndex.LINE_NUMBER,
        tf.string,
        tf.lookup.TextFileIndex.WHOLE_LINE,
    )
    return tf.lookup.StaticHashTable(lines, default_value="")
