# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Shards that we write are read by others' readers, and what others write is read by ours.

The Model Garden's reader is the real one. Those of dmvr and MediaSequence are written here, to
their conventions, with TensorFlow alone.
"""

import io
import re

import numpy as np
import pytest
import tensorflow as tf
from official.vision.configs import video_classification
from official.vision.dataloaders import video_input
from PIL import Image

from official_cvrl import manifest, records
from official_cvrl.data import pipeline
from tfrecords_tools import convert, inspect

_LABELS = ("jump high", "run")


@pytest.fixture(scope="module")
def ours(tmp_path_factory, class_folders):
    output = tmp_path_factory.mktemp("records")
    convert.convert(
        dataset="folder", videos=class_folders, output=output, workers=2, num_shards=1, quiet=True
    )
    return output


@pytest.fixture(scope="module")
def serialized(ours):
    shards = manifest.find_shards(ours, "train")
    return list(tf.data.TFRecordDataset(list(shards.paths)).as_numpy_iterator())


@pytest.fixture(scope="module")
def examples(serialized):
    return [records.decode_example(one) for one in serialized]


def _pixels(frames):
    return np.stack([tf.io.decode_jpeg(frame, channels=3).numpy() for frame in frames])


def test_the_model_garden_reads_ours(serialized, examples):
    config = video_classification.DataConfig(
        feature_shape=(4, 32, 48, 3), min_image_size=32, num_classes=2, dtype="float32"
    )
    parse = video_input.Parser(config).parse_fn(is_training=False)
    decode = video_input.Decoder().decode
    dataset = tf.data.Dataset.from_tensor_slices(serialized).map(decode)
    for (image, label), example in zip(dataset.map(parse), examples, strict=True):
        first = (len(example.frames) - 4) // 2
        expected = _pixels(example.frames[first : first + 4]) / 255
        np.testing.assert_allclose(image["image"], expected, atol=1e-6)
        np.testing.assert_array_equal(label, np.eye(2)[example.labels[0]])


def test_dmvr_reads_ours(serialized, examples):
    for one, example in zip(serialized, examples, strict=True):
        context, lists = tf.io.parse_single_sequence_example(
            one,
            context_features={
                "clip/label/index": tf.io.VarLenFeature(tf.int64),
                "clip/label/text": tf.io.VarLenFeature(tf.string),
            },
            sequence_features={"image/encoded": tf.io.FixedLenSequenceFeature((), tf.string)},
        )
        index = tf.sparse.to_dense(context["clip/label/index"])
        text = tf.sparse.to_dense(context["clip/label/text"])
        assert [text.numpy()[0].decode()] == [_LABELS[label] for label in index]
        np.testing.assert_array_equal(_pixels(lists["image/encoded"]), _pixels(example.frames))


def test_media_sequence_reads_ours(serialized, examples):
    for one, example in zip(serialized, examples, strict=True):
        proto = tf.train.SequenceExample.FromString(one)
        context, lists = proto.context.feature, proto.feature_lists.feature_list
        assert context["image/format"].bytes_list.value == [b"JPEG"]
        assert context["image/channels"].int64_list.value == [3]
        size = [context[f"image/{side}"].int64_list.value[0] for side in ("height", "width")]
        frames = [one.bytes_list.value[0] for one in lists["image/encoded"].feature]
        times = [one.int64_list.value[0] for one in lists["image/timestamp"].feature]
        assert _pixels(frames).shape == (len(times), *size, 3)
        start, end = (context[f"clip/{e}/timestamp"].int64_list.value[0] for e in ("start", "end"))
        assert start <= min(times) <= max(times) < end
        (index,) = context["clip/label/index"].int64_list.value
        assert context["clip/label/string"].bytes_list.value == [_LABELS[index].encode()]
        for key in ("clip/data_path", "clip/media_id", "example/id"):
            assert context[key].bytes_list.value == [example.data_path.encode()]
        assert context["example/dataset_name"].bytes_list.value == [b"folder"]
        assert context["image/frame_rate"].float_list.value == [pytest.approx(10)]


def _jpeg(value, kind="JPEG"):
    buffer = io.BytesIO()
    Image.new("RGB", (48, 32), (value, 0, 0)).save(buffer, kind, quality=95)
    return buffer.getvalue()


def _feature(value):
    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    if isinstance(value, float):
        return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


def _sequence_example(context, lists):
    proto = tf.train.SequenceExample()
    for key, value in context.items():
        proto.context.feature[key].CopyFrom(_feature(value))
    for key, values in lists.items():
        proto.feature_lists.feature_list[key].feature.extend(_feature(one) for one in values)
    return proto.SerializeToString()


def _dmvr(number):
    return _sequence_example(
        {
            "clip/label/index": number % 2,
            "clip/label/text": _LABELS[number % 2].encode(),
            "video/filename": b"videos/%d.mp4" % number,
            "clip/start/timestamp": 1_000_000,
            "clip/end/timestamp": 2_000_000,
        },
        {"image/encoded": [_jpeg(number * 40) for _ in range(8)]},
    )


def _media_sequence(number):
    return _sequence_example(
        {
            "example/id": b"ID_%d" % number,
            "example/dataset_name": b"theirs",
            "clip/data_path": b"videos/%d.mp4" % number,
            "clip/media_id": b"%d" % number,
            "clip/start/timestamp": 0,
            "clip/end/timestamp": 800_000,
            "clip/label/index": number % 2,
            "clip/label/string": _LABELS[number % 2].encode(),
            "image/format": b"JPEG",
            "image/height": 32,
            "image/width": 48,
            "image/channels": 3,
            "image/frame_rate": 10.0,
        },
        {
            "image/encoded": [_jpeg(number * 40) for _ in range(8)],
            "image/timestamp": [100_000 * index for index in range(8)],
            "AUDIO/feature/timestamp": [0, 400_000],
        },
    )


@pytest.mark.parametrize("suffix", ["", ".tfrecord"])
@pytest.mark.parametrize("compression", ["", "GZIP"])
@pytest.mark.parametrize("encode", [_dmvr, _media_sequence])
def test_we_read_theirs(tmp_path, capsys, encode, compression, suffix):
    for shard in range(2):
        path = tmp_path / f"train-{shard:05d}-of-00002{suffix}"
        with tf.io.TFRecordWriter(str(path), compression) as writer:
            for number in (2 * shard, 2 * shard + 1):
                writer.write(encode(number))
    (tmp_path / "labels.txt").write_text("\n".join(_LABELS) + "\n")
    assert inspect.main([str(tmp_path), "--check", "--quiet"]) == 0
    assert "2 classes of 2: jump high 2, run 2" in capsys.readouterr().out
    shards = manifest.find_shards(tmp_path, "train")
    assert shards.num_examples == 4
    batches = pipeline.test_batches(
        shards,
        global_batch_size=4,
        num_frames=4,
        temporal_stride=2,
        crop_size=32,
        min_resize=32,
        num_test_clips=1,
        num_test_crops=1,
    )
    (batch,) = batches
    order = np.argsort(batch["views"].numpy()[..., 0].mean(axis=(1, 2, 3, 4)))
    np.testing.assert_array_equal(batch["label"].numpy()[order], [0, 1, 0, 1])
    reds = batch["views"].numpy()[order][..., 0].mean(axis=(1, 2, 3, 4))
    np.testing.assert_allclose(reds, [0, 40, 80, 120], atol=3)


_FRAMES = [_jpeg(0), _jpeg(100)]


def _packed():
    proto = tf.train.SequenceExample()
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=_FRAMES))
    proto.feature_lists.feature_list["image/encoded"].feature.append(feature)
    return proto.SerializeToString()


def _plain_example():
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=_FRAMES))
    features = tf.train.Features(feature={"image/encoded": feature})
    return tf.train.Example(features=features).SerializeToString()


@pytest.mark.parametrize(
    ("serialized", "words"),
    [
        (_packed(), "all its frames are packed into one Feature .* write one Feature per frame"),
        (_plain_example(), "as in a tf.train.Example; write a tf.train.SequenceExample"),
        (
            _sequence_example({}, {"frames": _FRAMES}),
            "the frames are under 'frames'; rename that feature list to 'image/encoded'",
        ),
        (
            _sequence_example({}, {"image/encoded": [_jpeg(0, "PNG")]}),
            "frame 0 is not JPEG but PNG; encode each frame as an RGB JPEG",
        ),
        (_sequence_example({"clip/label/index": 1}, {}), "it has no frames: .*clip/label/index"),
        (b"these are words", "it is not a tf.train.SequenceExample"),
    ],
)
def test_check_says_what_is_wrong_and_how_to_mend_it(tmp_path, capfd, serialized, words):
    with tf.io.TFRecordWriter(str(tmp_path / "train-00000-of-00001")) as writer:
        writer.write(_dmvr(0))
        writer.write(serialized)
    assert inspect.main([str(tmp_path), "--check", "--quiet"]) == 1
    told, err = capfd.readouterr()
    (fault,) = (line for line in told.splitlines() if line.startswith("fault"))
    assert fault.startswith("fault: train-00000-of-00001 record 1")
    assert err == ""
    assert re.search(words, fault)


def test_check_tells_a_truncated_shard(tmp_path, capsys):
    path = tmp_path / "train-00000-of-00001"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(_dmvr(0))
        writer.write(_dmvr(1))
    path.write_bytes(path.read_bytes()[:-100])
    assert inspect.main([str(tmp_path), "--check", "--quiet"]) == 1
    assert "train-00000-of-00001 record 1: damaged or truncated" in capsys.readouterr().out
