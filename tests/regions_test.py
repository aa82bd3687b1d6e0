# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of official_cvrl.regions and segments, alone and in official_cvrl.records."""

import dataclasses

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from official_cvrl import records, regions
from official_cvrl import segments as segments_lib

_JPEG = b"\xff\xd8\xff"
_TIMES = [0, 40, 80, 120, 160]
# Corners that float32 holds exactly.
_RUNNER = regions.Box(0.25, 0.0, 0.5, 1.0, (3, 7), ("run", "tür"), score=0.5, track=11)
_SITTER = regions.Box(0.125, 0.5, 1.0, 0.75, (0,), ("sit",), track=4)
_KEY_FRAME = regions.KeyFrame(3, (_RUNNER, _SITTER))
_ROWS = {  # The two boxes of _KEY_FRAME, as tables hold them.
    "ymin": [0.25, 0.25, 0.125],
    "xmin": [0.0, 0.0, 0.5],
    "ymax": [0.5, 0.5, 1.0],
    "xmax": [1.0, 1.0, 0.75],
}


def _encode(**changes):
    arguments = {
        "frames": [_JPEG] * len(_TIMES),
        "height": 6,
        "width": 8,
        "frame_rate": 25.0,
        "timestamps_us": _TIMES,
        "example_id": "a.mp4",
    }
    return records.encode_example(**{**arguments, **changes})


def _ints(*values):
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def _floats(*values):
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def _bytes(*values):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def _foreign(context=None, lists=None, *, num_frames=5):
    lists = {"image/encoded": [_bytes(_JPEG)] * num_frames, **(lists or {})}
    return tf.train.SequenceExample(
        context=tf.train.Features(feature=context or {}),
        feature_lists=tf.train.FeatureLists(
            feature_list={
                key: tf.train.FeatureList(feature=features) for key, features in lists.items()
            }
        ),
    ).SerializeToString()


def _key_frame_table(**changes):
    """The Model Garden's layout: everything in the context, a row per box and label."""
    table = {f"clip/key_frame/bbox/{name}": _floats(*values) for name, values in _ROWS.items()}
    table["clip/key_frame/bbox/score"] = _floats(0.5, 0.5, 1.0)
    table["clip/key_frame/bbox/label/index"] = _ints(3, 7, 0)
    table["clip/key_frame/bbox/label/string"] = _bytes(b"run", "tür".encode(), b"sit")
    table["key_frame/frame_index"] = _ints(3)
    return {key: value for key, value in {**table, **changes}.items() if value is not None}


def _region_table(*, at=3, num_frames=5):
    """MediaSequence's layout: feature lists with a Feature per frame."""

    def steps(feature, empty):
        return [feature if index == at else empty for index in range(num_frames)]

    table = {
        f"region/bbox/{name}": steps(_floats(*values), _floats()) for name, values in _ROWS.items()
    }
    table["region/label/confidence"] = steps(_floats(0.5, 0.5, 1.0), _floats())
    table["region/label/index"] = steps(_ints(3, 7, 0), _ints())
    table["region/label/string"] = steps(_bytes(b"run", "tür".encode(), b"sit"), _bytes())
    table["region/track/index"] = steps(_ints(11, 11, 4), _ints())
    table["region/is_annotated"] = steps(_ints(1), _ints(0))
    return table


# Traced once: its hundreds of operations take a second each time.
_in_a_graph = tf.function(
    regions.parse_boxes, input_signature=[tf.TensorSpec([], tf.string)], autograph=False
)


def _parse(serialized):
    eager = regions.parse_boxes(tf.constant(serialized))
    graph = _in_a_graph(serialized)
    for name, value in eager.items():
        np.testing.assert_array_equal(value.numpy(), graph[name].numpy())
    return {name: value.numpy() for name, value in graph.items()}


class RoundTripTest(tf.test.TestCase, parameterized.TestCase):
    def test_boxes_are_parsed_once_each_with_all_their_labels(self):
        parsed = _parse(_encode(key_frame=_KEY_FRAME))
        self.assertEqual(parsed["key_frame_index"], 3)
        self.assertAllEqual(parsed["boxes"], [[0.25, 0.0, 0.5, 1.0], [0.125, 0.5, 1.0, 0.75]])
        self.assertAllEqual(parsed["scores"], [0.5, 1.0])
        self.assertAllEqual(parsed["tracks"], [11, 4])
        self.assertAllEqual(parsed["labels"], [3, 7, 0])
        self.assertEqual(parsed["label_names"].tolist(), [b"run", "tür".encode(), b"sit"])
        self.assertAllEqual(parsed["label_boxes"], [0, 0, 1])
        dtypes = {name: value.dtype for name, value in parsed.items()}
        self.assertEqual({dtypes["boxes"], dtypes["scores"]}, {np.dtype(np.float32)})
        integers = ("key_frame_index", "tracks", "labels", "label_boxes")
        self.assertEqual({dtypes[name] for name in integers}, {np.dtype(np.int64)})

    def test_in_a_data_set_boxes_are_the_same_and_know_their_last_dimension(self):
        serialized = _encode(key_frame=_KEY_FRAME)
        dataset = tf.data.Dataset.from_tensors(serialized).map(regions.parse_boxes)
        self.assertEqual(dataset.element_spec["boxes"].shape.as_list(), [None, 4])
        self.assertAllEqual(next(iter(dataset))["boxes"], _parse(serialized)["boxes"])

    @parameterized.named_parameters(
        ("labels_names_tracks", (_RUNNER, _SITTER)),
        ("nobody", ()),
        ("unlabelled", (regions.Box(0.0, 0.0, 0.5, 0.5, score=0.25),)),
        ("one_of_two_labelled", (regions.Box(0.0, 0.0, 0.5, 0.5), _SITTER)),
        ("labels_without_names", (dataclasses.replace(_RUNNER, label_names=()), _SITTER)),
        ("one_of_two_tracked", (dataclasses.replace(_RUNNER, track=None), _SITTER)),
        ("two_in_one_place", (_RUNNER, dataclasses.replace(_RUNNER, track=2**40))),
    )
    def test_decode_gives_back_what_was_encoded(self, boxes):
        for index in (0, 4):
            key_frame = regions.KeyFrame(index, boxes)
            example = records.decode_example(_encode(key_frame=key_frame))
            self.assertEqual(example.key_frame, key_frame)

    def test_without_boxes(self):
        parsed = _parse(_encode())
        self.assertEqual(parsed["key_frame_index"], -1)
        self.assertEqual(parsed["boxes"].shape, (0, 4))
        self.assertEqual({parsed[n].size for n in ("scores", "tracks", "labels")}, {0})
        example = records.decode_example(_encode())
        self.assertIsNone(example.key_frame)
        self.assertEqual(example.segments, ())

    def test_segments(self):
        segments = (
            segments_lib.Segment(0, 100, 5, "jump"),
            segments_lib.Segment(0, 100, 2, "run"),
            segments_lib.Segment(80, 80, 0),
        )
        for given in (segments, segments[2:], ()):
            example = records.decode_example(_encode(segments=given))
            self.assertEqual(example.segments, given)
            self.assertIsNone(example.key_frame)

    def test_the_same_arguments_give_the_same_bytes(self):
        segments = [segments_lib.Segment(0, 100, 5)]
        encoded = {_encode(key_frame=_KEY_FRAME, segments=segments) for _ in range(20)}
        self.assertLen(encoded, 1)


class LayoutTest(tf.test.TestCase, parameterized.TestCase):
    def _added(self, **arguments):
        """Returns what a record has beyond the same record without boxes and segments."""
        plain = tf.train.SequenceExample.FromString(_encode())
        proto = tf.train.SequenceExample.FromString(_encode(**arguments))
        for key in plain.context.feature:
            self.assertEqual(proto.context.feature.pop(key), plain.context.feature[key])
        for key in plain.feature_lists.feature_list:
            features = proto.feature_lists.feature_list.pop(key)
            self.assertEqual(features, plain.feature_lists.feature_list[key])
        return proto

    def test_boxes_are_written_as_both_others_write_them(self):
        proto = self._added(key_frame=_KEY_FRAME)
        expected = _foreign(
            _key_frame_table(),
            {**_region_table(), "region/timestamp": [_ints(time) for time in _TIMES]},
        )
        expected = tf.train.SequenceExample.FromString(expected)
        del expected.feature_lists.feature_list["image/encoded"]
        self.assertProtoEquals(expected, proto)

    def test_what_is_unknown_of_all_boxes_is_left_out(self):
        box = regions.Box(0.0, 0.0, 0.5, 0.5)
        proto = self._added(key_frame=regions.KeyFrame(0, (box,)))
        corners = {f"bbox/{name}" for name in _ROWS}
        self.assertEqual(
            set(proto.context.feature),
            {f"clip/key_frame/{name}" for name in {*corners, "bbox/score"}}
            | {"key_frame/frame_index"},
        )
        self.assertEqual(
            set(proto.feature_lists.feature_list),
            {f"region/{n}" for n in {*corners, "label/confidence", "is_annotated", "timestamp"}},
        )

    def test_segments_are_written_as_media_sequence_writes_them(self):
        segments = [segments_lib.Segment(30, 120, 5, "jump"), segments_lib.Segment(160, 900, 2)]
        proto = self._added(segments=segments)
        expected = _foreign(
            {
                "segment/start/timestamp": _ints(30, 160),
                "segment/start/index": _ints(1, 4),
                "segment/end/timestamp": _ints(120, 900),
                "segment/end/index": _ints(3, 4),
                "segment/label/index": _ints(5, 2),
                "segment/label/string": _bytes(b"jump", b""),
            }
        )
        expected = tf.train.SequenceExample.FromString(expected)
        self.assertEqual(proto.context, expected.context)
        self.assertEmpty(proto.feature_lists.feature_list)

    def test_the_model_gardens_parser_accepts_ours(self):
        # As its reader of AVA declares them: one index, and as many of the others as there are.
        names = [f"clip/key_frame/bbox/{name}" for name in (*_ROWS, "score")]
        spec = {name: tf.io.VarLenFeature(tf.float32) for name in names}
        spec["clip/key_frame/bbox/label/index"] = tf.io.VarLenFeature(tf.int64)
        spec["key_frame/frame_index"] = tf.io.FixedLenFeature(1, tf.int64)
        context, _ = tf.io.parse_single_sequence_example(
            _encode(key_frame=_KEY_FRAME), context_features=spec
        )
        self.assertAllEqual(context["key_frame/frame_index"], [3])
        dense = {key: tf.sparse.to_dense(context[key]) for key in spec if "bbox" in key}
        self.assertEqual({value.shape.as_list()[0] for value in dense.values()}, {3})
        self.assertAllEqual(dense["clip/key_frame/bbox/ymax"], _ROWS["ymax"])
        self.assertAllEqual(dense["clip/key_frame/bbox/label/index"], [3, 7, 0])


class ForeignTest(tf.test.TestCase, parameterized.TestCase):
    def test_media_sequence_layout_is_read(self):
        example = records.decode_example(_foreign(lists=_region_table()))
        self.assertEqual(example.key_frame, _KEY_FRAME)

    @parameterized.parameters("key_frame/frame_index", "clip/key_frame/frame_index")
    def test_model_garden_layout_is_read(self, key):
        table = _key_frame_table(**{"key_frame/frame_index": None})
        example = records.decode_example(_foreign({**table, key: _ints(3)}))
        boxes = tuple(dataclasses.replace(box, track=None) for box in _KEY_FRAME.boxes)
        self.assertEqual(example.key_frame, regions.KeyFrame(3, boxes))

    def test_corners_alone_are_enough(self):
        for context, lists in ((_key_frame_table(), {}), ({}, _region_table())):
            context = {
                key: value
                for key, value in context.items()
                if "/label/" not in key and "score" not in key
            }
            lists = {key: value for key, value in lists.items() if "region/bbox" in key}
            parsed = _parse(_foreign(context, lists))
            self.assertEqual(parsed["key_frame_index"], 3)
            self.assertAllEqual(parsed["boxes"][:, 2], [0.5, 1.0])
            self.assertAllEqual(parsed["scores"], [1.0, 1.0])
            self.assertAllEqual(parsed["tracks"], [-1, -1])
            self.assertEmpty(parsed["labels"])

    def test_the_greatest_of_a_boxes_scores_is_its_score(self):
        changes = {"clip/key_frame/bbox/score": _floats(0.25, 0.75, 0.5)}
        self.assertAllEqual(_parse(_foreign(_key_frame_table(**changes)))["scores"], [0.75, 0.5])

    def test_padding_is_no_label(self):
        changes = {"clip/key_frame/bbox/label/index": _ints(3, -1, 0)}
        parsed = _parse(_foreign(_key_frame_table(**changes)))
        self.assertAllEqual(parsed["labels"], [3, 0])
        self.assertEqual(parsed["label_names"].tolist(), [b"run", b"sit"])
        self.assertAllEqual(parsed["label_boxes"], [0, 1])

    def test_of_several_frames_the_named_one_counts_then_the_middle(self):
        def at(*values):
            return [_floats(value) if value else _floats() for value in values]

        lists = {
            "region/bbox/ymin": at(0.1, 0.2, 0, 0.4, 0.5),
            "region/bbox/xmin": at(0.1, 0.2, 0, 0.4, 0.5),
            "region/bbox/ymax": at(0.9, 0.9, 0, 0.9, 0.9),
            "region/bbox/xmax": at(0.9, 0.9, 0, 0.9, 0.9),
        }
        flagged = {"region/is_annotated": [_ints(n) for n in (1, 0, 0, 0, 0)]}
        for context, extra, index, ymin in (
            ({}, {}, 1, [0.2]),
            ({"key_frame/frame_index": _ints(4)}, {}, 4, [0.5]),
            ({"key_frame/frame_index": _ints(2)}, {}, 2, []),
            ({}, flagged, 0, [0.1]),
            ({"key_frame/frame_index": _ints(4)}, flagged, 4, [0.5]),
        ):
            parsed = _parse(_foreign(context, {**lists, **extra}))
            self.assertEqual(parsed["key_frame_index"], index)
            self.assertAllClose(parsed["boxes"][:, 0], ymin)

    def test_segments_of_media_sequence_are_read(self):
        times = {"segment/start/timestamp": _ints(7, 9), "segment/end/timestamp": _ints(8, 11)}
        names = {"segment/label/string": _bytes(b"a", b"b")}
        labels = {"segment/label/index": _ints(3, 1)}
        for context, expected in (
            ({**times, **labels}, ((7, 8, 3, ""), (9, 11, 1, ""))),
            ({**times, **names}, ((7, 8, -1, "a"), (9, 11, -1, "b"))),
            (labels, ()),
        ):
            example = records.decode_example(_foreign(context))
            self.assertEqual(
                example.segments, tuple(segments_lib.Segment(*one) for one in expected)
            )

    @parameterized.named_parameters(
        (
            "corner",
            {"clip/key_frame/bbox/ymax": _floats(0.5)},
            {},
            "each box needs one ymax",
        ),
        (
            "missing_corner",
            {"clip/key_frame/bbox/ymax": None},
            {},
            "each box needs one ymax",
        ),
        (
            "label",
            {"clip/key_frame/bbox/label/index": _ints(1, 2)},
            {},
            r"each box needs one label; (.|\n)*2(.|\n)*3",
        ),
        ("index", {"key_frame/frame_index": _ints(5)}, {}, "none of the frames"),
        ("negative", {"key_frame/frame_index": _ints(-2)}, {}, "none of the frames"),
        ("no_index", {"key_frame/frame_index": None}, {}, "no key_frame/frame_index"),
        ("steps", {}, {"num_frames": 4}, "region/.* needs a Feature per frame"),
        ("type", {"clip/key_frame/bbox/xmin": _ints(1, 1, 1)}, {}, "xmin"),
    )
    def test_tables_that_cannot_be_read_are_explained(self, context, lists, words):
        lists = _region_table(**lists) if lists else {}
        serialized = _foreign(_key_frame_table(**context), lists)
        with self.assertRaisesRegex(ValueError, f"boxes cannot be read(.|\n)*{words}"):
            records.decode_example(serialized)
        with self.assertRaisesRegex(tf.errors.InvalidArgumentError, words):
            _in_a_graph(serialized)
        # Who trains without boxes need not care.
        self.assertIsNone(records.diagnose(serialized))

    @parameterized.parameters("end/timestamp", "label/index")
    def test_segments_that_disagree_in_length_are_explained(self, key):
        times = {"segment/start/timestamp": _ints(7, 9), "segment/end/timestamp": _ints(8, 11)}
        with self.assertRaisesRegex(ValueError, "segments cannot be read: 2 starts"):
            records.decode_example(_foreign({**times, f"segment/{key}": _ints(1)}))


class RefusalTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(
        ({"ymin": -0.5}, r"boxes\[1\]\.ymin=-0\.5 is outside"),
        ({"xmin": float("nan")}, r"boxes\[1\]\.xmin=nan is outside"),
        ({"ymax": 1.5}, r"boxes\[1\]\.ymax=1\.5 is outside"),
        ({"xmax": 8}, r"boxes\[1\]\.xmax=8 is outside"),
        ({"score": 1.5}, r"boxes\[1\]\.score=1\.5 is outside"),
        ({"ymin": 1.0}, r"boxes\[1\]=Box\(ymin=1\.0.* has no area"),
        ({"xmin": 0.8}, r"boxes\[1\]=Box\(.*xmin=0\.8.* has no area"),
        ({"xmin": 0.75 - 1e-9}, r"boxes\[1\]=.* has no area"),
        ({"labels": (0, -1), "label_names": ()}, r"boxes\[1\]\.labels=\(0, -1\) .*negative"),
        ({"label_names": ("a", "b")}, r"boxes\[1\]\.label_names=\('a', 'b'\) does not name"),
        ({"labels": ()}, r"boxes\[1\]\.label_names=\('sit',\) does not name labels=\(\)"),
        ({"track": -1}, r"boxes\[1\]\.track=-1"),
    )
    def test_what_is_no_box(self, changes, words):
        boxes = (_RUNNER, dataclasses.replace(_SITTER, **changes))
        with self.assertRaisesRegex(ValueError, r"key_frame\." + words):
            _encode(key_frame=regions.KeyFrame(3, boxes))

    def test_a_box_that_repeats_another(self):
        boxes = (_RUNNER, _SITTER, dataclasses.replace(_RUNNER, labels=(), label_names=()))
        with self.assertRaisesRegex(ValueError, r"boxes\[2\]=Box.* repeats key_frame\.boxes\[0\]"):
            _encode(key_frame=regions.KeyFrame(3, boxes))

    @parameterized.parameters(-1, 5)
    def test_a_frame_that_is_not_there(self, index):
        with self.assertRaisesRegex(ValueError, f"frame_index={index} is none of 5 frames"):
            _encode(key_frame=regions.KeyFrame(index, (_RUNNER,)))

    @parameterized.parameters(
        ((80, 79, 0), r"segments\[1\]=Segment\(start_us=80, end_us=79.* ends before it starts"),
        ((81, 119, 0), r"segments\[1\]=.* holds none of the 5 frames"),
        ((161, 200, 0), r"segments\[1\]=.* holds none of the 5 frames"),
        ((0, 80, -1), r"segments\[1\]\.label=-1 is negative"),
    )
    def test_what_is_no_segment(self, segment, words):
        with self.assertRaisesRegex(ValueError, words):
            _encode(segments=[segments_lib.Segment(0, 160, 0), segments_lib.Segment(*segment)])


if __name__ == "__main__":
    tf.test.main()
