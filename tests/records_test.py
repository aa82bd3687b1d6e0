# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of official_cvrl.records."""

import dataclasses
import hashlib
import io

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from official_cvrl import records


def _jpeg(value=0, image_format="JPEG"):
    buffer = io.BytesIO()
    Image.fromarray(np.full((6, 8, 3), value, np.uint8)).save(buffer, image_format)
    return buffer.getvalue()


def _encode(**changes):
    arguments = {
        "frames": [_jpeg(0), _jpeg(100), _jpeg(200)],
        "height": 6,
        "width": 8,
        "frame_rate": 29.97,
        "timestamps_us": [0, 33367, 66733],
        "labels": [3, 5],
        "label_names": ["run", "tür"],
        "example_id": "run/a.mp4",
        "data_path": "run/a.mp4",
        "start_us": 0,
        "end_us": 100100,
        "dataset_name": "folder",
    }
    return records.encode_example(**{**arguments, **changes})


def _ints(*values):
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def _bytes(*values):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def _foreign(context=None, lists=None):
    return tf.train.SequenceExample(
        context=tf.train.Features(feature=context or {}),
        feature_lists=tf.train.FeatureLists(
            feature_list={
                key: tf.train.FeatureList(feature=features)
                for key, features in (lists or {}).items()
            }
        ),
    ).SerializeToString()


class ClassesTest(parameterized.TestCase):
    @parameterized.parameters(
        ([1], [], ["x", "y"], ("y",)),
        ([0, 1], ["old", "other"], ["x"], ("x", "other")),
        ([2], [], ["x", "y"], ("class 2",)),
        ([-1], [], ["x", "y"], ()),
        ([-2], [], ["x", "y"], ("class -2",)),
        ([], ["z"], ["x"], ("z",)),
        ([], [], ["x"], ()),
    )
    def test_labels_are_named(self, labels, label_names, known, expected):
        example = records.decode_example(_encode())
        example = dataclasses.replace(example, labels=tuple(labels), label_names=tuple(label_names))
        self.assertEqual(example.classes(known), expected)


class RoundTripTest(tf.test.TestCase, parameterized.TestCase):
    def test_parse_gives_back_what_was_encoded(self):
        parse = tf.function(records.parse_example)
        parsed = parse(tf.constant(_encode()))
        self.assertEqual(list(parsed["frames"].numpy()), [_jpeg(0), _jpeg(100), _jpeg(200)])
        self.assertAllEqual(parsed["labels"], [3, 5])
        self.assertEqual(parsed["example_id"], b"run/a.mp4")
        self.assertAllClose(parsed["frame_rate"], 29.97)
        self.assertDTypeEqual(parsed["labels"], np.int64)
        self.assertEqual(parsed["example_key"].dtype, tf.int64)

    def test_decode_gives_back_what_was_encoded(self):
        example = records.decode_example(_encode())
        self.assertEqual(example.frames, (_jpeg(0), _jpeg(100), _jpeg(200)))
        self.assertEqual(example.timestamps_us, (0, 33367, 66733))
        self.assertEqual((example.height, example.width), (6, 8))
        self.assertEqual(example.labels, (3, 5))
        self.assertEqual(example.label_names, ("run", "tür"))
        self.assertEqual((example.start_us, example.end_us), (0, 100100))
        self.assertEqual((example.data_path, example.dataset_name), ("run/a.mp4", "folder"))

    def test_unlabelled(self):
        serialized = _encode(labels=(), label_names=())
        self.assertEmpty(records.parse_example(tf.constant(serialized))["labels"])
        self.assertEqual(records.decode_example(serialized).labels, ())

    def test_the_same_arguments_give_the_same_bytes(self):
        self.assertLen({_encode() for _ in range(20)}, 1)

    def test_a_record_without_boxes_keeps_its_bytes(self):
        serialized = _encode(frames=[b"\xff\xd8\xff"] * 3)
        self.assertEqual(
            hashlib.sha256(serialized).hexdigest(),
            "3bd858a2e1a9a0d54479074162ce9327d2b59b03c39d84f28342ec989c705605",
        )

    def test_every_agreed_key_is_written(self):
        proto = tf.train.SequenceExample.FromString(_encode())
        self.assertContainsSubset(
            [f"image/{name}" for name in ("format", "height", "width", "channels", "frame_rate")]
            + [f"clip/{name}" for name in ("label/index", "label/text", "label/string")]
            + [f"clip/{name}" for name in ("start/timestamp", "end/timestamp", "media_id")]
            + ["image/data_path", "clip/data_path", "video/filename"]
            + ["example/id", "example/dataset_name"],
            list(proto.context.feature),
        )
        self.assertCountEqual(
            proto.feature_lists.feature_list, ["image/encoded", "image/timestamp"]
        )
        self.assertEqual(
            proto.context.feature["clip/label/text"], proto.context.feature["clip/label/string"]
        )

    @parameterized.parameters(
        ({"frames": [], "timestamps_us": []}, "frames"),
        ({"timestamps_us": [1]}, "timestamps_us has 1"),
        ({"label_names": ["one"]}, "label_names"),
        ({"frames": [b"no"], "timestamps_us": [0]}, r"frames\[0\] is not JPEG"),
    )
    def test_what_cannot_be_a_record_is_refused(self, changes, words):
        with self.assertRaisesRegex(ValueError, words):
            _encode(**changes)


class ExampleKeyTest(tf.test.TestCase):
    def _key(self, serialized):
        return int(records.parse_example(tf.constant(serialized))["example_key"])

    def test_is_the_fingerprint_of_the_id_and_never_changes(self):
        self.assertEqual(self._key(_encode()), 4342872533824467489)
        self.assertEqual(
            self._key(_encode(data_path="moved.mp4", labels=[0], label_names=["a"])),
            self._key(_encode()),
        )
        self.assertNotEqual(self._key(_encode(example_id="b")), self._key(_encode()))

    def test_falls_back_to_path_and_start_then_to_the_first_frame(self):
        frames = {"image/encoded": [_bytes(_jpeg(0)), _bytes(_jpeg(9))]}
        others = {"image/encoded": [_bytes(_jpeg(1)), _bytes(_jpeg(9))]}
        path = {"video/filename": _bytes(b"a.mp4")}
        moved = {"clip/data_path": _bytes(b"a.mp4")}
        later = {**path, "clip/start/timestamp": _ints(5)}
        self.assertEqual(self._key(_foreign(path, frames)), self._key(_foreign(moved, others)))
        self.assertNotEqual(self._key(_foreign(path, frames)), self._key(_foreign(later, frames)))
        self.assertEqual(self._key(_foreign({}, frames)), self._key(_foreign({}, frames)))
        self.assertNotEqual(self._key(_foreign({}, frames)), self._key(_foreign({}, others)))


class ForeignLayoutTest(tf.test.TestCase, parameterized.TestCase):
    def test_dmvr_layout_is_read(self):
        serialized = _foreign(
            {
                "clip/label/index": _ints(2),
                "clip/label/text": _bytes(b"jump"),
                "video/filename": _bytes(b"a.mp4"),
            },
            {"image/encoded": [_bytes(_jpeg(0)), _bytes(_jpeg(1))]},
        )
        parsed = records.parse_example(tf.constant(serialized))
        self.assertIsNone(records.diagnose(serialized))
        self.assertLen(parsed["frames"], 2)
        self.assertAllEqual(parsed["labels"], [2])
        self.assertEqual(parsed["example_id"], b"a.mp4@0")
        self.assertEqual(parsed["frame_rate"], 0.0)
        self.assertEqual(records.decode_example(serialized).label_names, ("jump",))

    def test_media_sequence_layout_is_read(self):
        serialized = _foreign(
            {
                "clip/label/index": _ints(2, 7),
                "clip/label/string": _bytes(b"jump", b"run"),
                "clip/data_path": _bytes(b"a.mp4"),
                "example/id": _bytes(b"a_1"),
                "segment/label/index": _ints(1),
            },
            {
                "image/encoded": [_bytes(_jpeg(0))],
                "image/timestamp": [_ints(40)],
                "region/bbox/ymin": [tf.train.Feature()],
            },
        )
        self.assertIsNone(records.diagnose(serialized))
        example = records.decode_example(serialized)
        self.assertEqual((example.example_id, example.timestamps_us), ("a_1", (40,)))
        self.assertEqual(example.label_names, ("jump", "run"))

    @parameterized.named_parameters(
        (
            "packed",
            {},
            {"image/encoded": [_bytes(_jpeg(), _jpeg())]},
            "packed into one Feature.*one Feature per frame",
        ),
        ("context", {"image/encoded": _bytes(_jpeg())}, {}, "context.*feature list"),
        ("other_key", {}, {"frames/jpg": [_bytes(_jpeg())]}, "under 'frames/jpg'; rename"),
        ("no_frames", {"clip/label/index": _ints(1)}, {}, "no frames.*clip/label/index"),
        ("empty_list", {}, {"image/encoded": []}, "no frames"),
        ("png", {}, {"image/encoded": [_bytes(_jpeg(image_format="PNG"))]}, "frame 0 .* PNG"),
        ("raw", {}, {"image/encoded": [_bytes(_jpeg()), _bytes(b"abc")]}, "frame 1 .* 3 bytes"),
        ("numbers", {}, {"image/encoded": [_ints(1, 2)]}, "holds int64_list"),
        ("nothing", {}, {"image/encoded": [tf.train.Feature()]}, "holds nothing"),
        (
            "label_type",
            {"clip/label/index": _bytes(b"1")},
            {"image/encoded": [_bytes(_jpeg())]},
            "another type",
        ),
    )
    def test_unreadable_layouts_are_explained(self, context, lists, words):
        serialized = _foreign(context, lists)
        self.assertRegex(records.diagnose(serialized), words)
        with self.assertRaisesRegex(ValueError, words):
            records.decode_example(serialized)

    def test_what_is_no_record_is_explained(self):
        self.assertRegex(records.diagnose(b"\xff\xff\xff"), "not a tf.train.SequenceExample")
        self.assertRegex(records.diagnose(b""), "no frames")
        self.assertIsNone(records.diagnose(_encode()))


if __name__ == "__main__":
    tf.test.main()
