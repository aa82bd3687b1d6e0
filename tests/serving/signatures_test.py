# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""All signatures give what evaluation gives of the same videos, whoever shares their batch."""

import dataclasses

import cv2
import numpy as np
import pytest
import tensorflow as tf

from official_cvrl import manifest, records
from official_cvrl.data import clip_format, pipeline, sampling
from official_cvrl.modeling import heads
from official_cvrl.serving import signatures
from official_cvrl.tasks import views
from tests.data import shards
from tests.weights import networks

_CLIP = clip_format.ClipFormat(num_frames=4, temporal_stride=2, min_resize=18, crop_size=16)
_NAMES = [f"class {index}" for index in range(7)]
_SIZES = ((20, 24), (30, 20), (18, 18))
_ATOL = {"embedding": 1e-5, "embedding_normalized": 1e-6, "logits": 1e-5, "probabilities": 1e-6}


@pytest.fixture(scope="module", name="backbone")
def _backbone():
    return networks.tiny()


@pytest.fixture(scope="module", name="classifier")
def _classifier(backbone):
    classifier = heads.LinearClassifier(len(_NAMES))
    classifier.build([None, backbone.embedding_dim])
    classifier.output_layer.kernel.assign(4 * classifier.output_layer.kernel)
    return classifier


@pytest.fixture(scope="module", name="functions")
def _functions(backbone, classifier, tmp_path_factory):
    folder = tmp_path_factory.mktemp("labels")
    manifest.write_labels(folder, _NAMES)
    path = str(folder / manifest.LABELS_NAME)
    module = signatures.Signatures(backbone, clip=_CLIP, classifier=classifier, label_file=path)
    # A module's table is gone with it.
    functions = dict(module.functions)
    functions["module"] = module
    return functions


@pytest.fixture(scope="module", name="videos")
def _videos():
    """Frames of three videos of different sizes, the last shorter than a clip."""
    return [
        shards.jpegs(count, height=height, width=width, seed=seed)
        for seed, (count, (height, width)) in enumerate(zip((11, 9, 5), _SIZES, strict=True))
    ]


@pytest.fixture(scope="module", name="records_folder")
def _records_folder(videos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    changes = {f"video_{number}": frames for number, frames in enumerate(videos)}
    shards.write(folder, len(videos), split="test", **changes)
    return folder


def _examples(folder):
    found = manifest.find_shards(folder, "test")
    return tf.stack(list(tf.data.TFRecordDataset(list(found.paths))))


def _evaluated(folder, function, *, num_test_clips, num_test_crops):
    """What a run's evaluation gives of the same records."""
    (batch,) = pipeline.test_batches(
        manifest.find_shards(folder, "test"),
        num_test_clips=num_test_clips,
        num_test_crops=num_test_crops,
        global_batch_size=len(_SIZES),
        **dataclasses.asdict(_CLIP),
    )
    return views.mean_over_views(function, batch["views"], max_clips_per_pass=7).numpy()


@pytest.mark.parametrize(
    ("signature", "num_test_clips", "num_test_crops"),
    [("sequence_examples", 1, 1), ("multi_view", 10, 3)],
)
def test_records_give_what_evaluation_gives(
    functions, backbone, classifier, records_folder, signature, num_test_clips, num_test_crops
):
    outputs = functions[signature](_examples(records_folder))

    def embedding(clips):
        return backbone(clips)["embedding"]

    for name, function in {
        "embedding": embedding,
        "logits": lambda clips: classifier(embedding(clips)),
        "probabilities": lambda clips: tf.nn.softmax(classifier(embedding(clips))),
    }.items():
        expected = _evaluated(
            records_folder,
            function,
            num_test_clips=num_test_clips,
            num_test_crops=num_test_crops,
        )
        assert np.ptp(expected, axis=0).max() > 100 * _ATOL[name]
        np.testing.assert_allclose(outputs[name], expected, rtol=1e-5, atol=_ATOL[name])


def test_outputs_belong_together(functions, records_folder):
    outputs = functions["multi_view"](_examples(records_folder))
    assert outputs["temporal_stride"].numpy().tolist() == [_CLIP.temporal_stride] * len(_SIZES)
    embedding, probabilities = outputs["embedding"].numpy(), outputs["probabilities"].numpy()
    norms = np.linalg.norm(embedding, axis=1, keepdims=True)
    np.testing.assert_allclose(outputs["embedding_normalized"], embedding / norms, atol=1e-6)
    order = np.argsort(-probabilities, axis=1)[:, :5]
    assert [[name.decode() for name in row] for row in outputs["top_labels"].numpy()] == [
        [_NAMES[index] for index in row] for row in order
    ]


def _middle(frames):
    indices = sampling.dense_clip_frames(
        len(frames),
        num_frames=_CLIP.num_frames,
        temporal_stride=_CLIP.temporal_stride,
        num_test_clips=1,
    )
    return [frames[index] for index in indices[0]]


def _decoded(jpeg):
    return tf.io.decode_jpeg(jpeg, channels=3).numpy()


def _png(jpeg):
    return cv2.imencode(".png", _decoded(jpeg)[..., ::-1])[1].tobytes()


def test_all_ways_to_hand_a_clip_over_agree(functions, videos, records_folder):
    expected = functions["sequence_examples"](_examples(records_folder))
    clips = [_middle(frames) for frames in videos]
    as_png = [[_png(frame) for frame in clip] for clip in clips]
    mixed = [clips[0], as_png[1], [clips[2][0], *as_png[2][1:]]]
    answers = [functions["encoded_frames"](tf.constant(batch)) for batch in (clips, mixed)]
    pixels = [np.stack([_decoded(frame) for frame in clip]) for clip in clips]
    one_by_one = [functions["serving_default"](clip[np.newaxis]) for clip in pixels]
    answers.append({name: tf.concat([o[name] for o in one_by_one], 0) for name in expected})
    for answer in answers:
        assert answer["top_labels"].numpy().tolist() == expected["top_labels"].numpy().tolist()
        for name, atol in _ATOL.items():
            np.testing.assert_allclose(answer[name], expected[name], rtol=1e-5, atol=atol)


def test_rows_do_not_depend_on_each_other(functions, records_folder):
    examples = _examples(records_folder)
    for signature in ("sequence_examples", "multi_view"):
        together = functions[signature](examples)
        for row in range(len(_SIZES)):
            alone = functions[signature](examples[row : row + 1])
            for name, atol in _ATOL.items():
                np.testing.assert_allclose(
                    alone[name][0], together[name][row], rtol=1e-5, atol=atol
                )


def test_what_is_no_record_or_picture_is_named(functions, videos):
    broken = [_middle(videos[0])[:3] + [b"\xff\xd8\xff cut off"]]
    with pytest.raises(tf.errors.InvalidArgumentError, match="JPEG"):
        functions["encoded_frames"](tf.constant(broken))
    record = records.encode_example(
        broken[0][-1:] * 4,
        height=20,
        width=24,
        frame_rate=10.0,
        timestamps_us=range(4),
        example_id="the broken one",
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="the broken one has a frame that is"):
        functions["sequence_examples"](tf.constant([record]))


def test_another_backbone_precision_keeps_the_signature(backbone):
    shorter = networks.tiny(dtype="mixed_bfloat16")
    made = [signatures.Signatures(each, clip=_CLIP) for each in (backbone, shorter)]
    clips = np.random.default_rng(0).integers(0, 255, [2, 4, 18, 24, 3], np.uint8)
    exact, rounded = (module.functions["serving_default"](clips) for module in made)
    names = {"embedding", "embedding_normalized", "temporal_stride"}
    assert set(exact) == set(rounded) == names
    assert [module.dtype for module in made] == ["float32", "bfloat16"]
    difference = np.abs(exact["embedding"] - rounded["embedding"]).max()
    assert 1e-5 < difference < 0.05 * np.abs(exact["embedding"]).max()


def test_compiled_with_xla_the_model_says_the_same(functions, backbone):
    module = signatures.Signatures(backbone, clip=_CLIP, xla=True)
    both = functions["serving_default"], module.functions["serving_default"]
    clips = np.random.default_rng(0).integers(0, 255, [2, 4, 18, 24, 3], np.uint8)
    plain, compiled = (function(clips)["embedding"].numpy() for function in both)
    np.testing.assert_allclose(compiled, plain, rtol=1e-5, atol=1e-5)
    assert [_is_compiled(function) for function in both] == [False, True]


def _is_compiled(function):
    library = function.get_concrete_function().graph.as_graph_def().library
    return any(called.attr["_XlaMustCompile"].b for called in library.function)


def test_a_classifier_needs_labels(backbone, classifier):
    with pytest.raises(ValueError, match="label_file=''"):
        signatures.Signatures(backbone, clip=_CLIP, classifier=classifier)
