# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Folders as a run leaves them, made without training: records, events, checkpoint, results."""

import io
import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from official_cvrl import manifest, records, regions, run_info
from official_cvrl import origin as origin_lib
from official_cvrl.data import clip_format
from official_cvrl.modeling import resnet_3d
from tests.tasks import tiny, tiny_detector

RANDOM_WEIGHTS = origin_lib.Origin()
CLIP = clip_format.ClipFormat(num_frames=4, temporal_stride=1, min_resize=20, crop_size=16)
PRETRAINING = """
BATCH = 8
experiment.run.task = @pretrain.Pretraining
experiment.run.global_batch_size = %BATCH
experiment.run.pretrained = ''
"""
LINEAR = """
classify.Classification.frozen = True
experiment.run.task = @classify.Classification
experiment.run.pretrained = '{pretrained}'
"""


DETECTION = """
experiment.run.task = @detect.Detection
experiment.run.seed = 3
augment.Augmentation.area_range = (0.4, 1.0)
augment.Augmentation.aspect_range = (0.8, 1.25)
detection.TrainInput.augmentation = @augment.Augmentation()
detection.TrainInput.num_frames = 2
detection.TrainInput.temporal_stride = 1
detection.TrainInput.crop_size = 40
detection.TrainInput.max_boxes = 4
"""


def write_split(data_dir, split, videos):
    """Writes one shard.

    Args:
        data_dir: folder of shards.
        split: its name.
        videos: (name, label or None, seed of the picture) of each video.
    """
    path = os.path.join(data_dir, manifest.shard_name(split, index=0, num_shards=1))
    os.makedirs(data_dir, exist_ok=True)
    with tf.io.TFRecordWriter(path) as writer:
        for name, label, seed in videos:
            writer.write(
                records.encode_example(
                    frames(seed),
                    height=20,
                    width=24,
                    frame_rate=10.0,
                    timestamps_us=range(6),
                    labels=[] if label is None else [label],
                    example_id=name,
                )
            )


def frames(seed):
    """Returns six JPEGs, 20 × 24 pixels, of a camera that moves over large random squares."""
    picture = np.random.default_rng(seed).integers(0, 255, [5, 8, 3], np.uint8)
    large = np.kron(picture, np.ones([4, 4, 1], np.uint8))
    return [_jpeg(large[:, step : step + 24]) for step in range(6)]


def _jpeg(picture):
    encoded = io.BytesIO()
    Image.fromarray(picture).save(encoded, "JPEG", quality=95)
    return encoded.getvalue()


def write_records(data_dir, *, label_names=("left", "right"), train=6, test=2):
    """Writes train and test videos, classes in turn; test video n looks like training video n.

    Returns:
        The folder.
    """
    for split, count in (("train", train), ("test", test)):
        labels = [n % len(label_names) if label_names else None for n in range(count)]
        write_split(data_dir, split, [(f"{split}/{n}.mp4", labels[n], n) for n in range(count)])
    if label_names:
        manifest.write_labels(data_dir, label_names)
    return str(data_dir)


def write_events(folder, scalars, pictures=None):
    """Writes one event file: {tag: {step: value}}, and {tag: uint8 [count, h, w, 3]} at step 0."""
    with tf.summary.create_file_writer(str(folder)).as_default():
        for tag, batch in (pictures or {}).items():
            tf.summary.image(tag, batch, step=0, max_outputs=len(batch))
        for tag, points in scalars.items():
            for step, value in points.items():
                tf.summary.scalar(tag, value, step=step)


def write_run(
    model_dir,
    *,
    data_dir,
    config=PRETRAINING,
    results=None,
    clip=CLIP,
    origin=RANDOM_WEIGHTS,
    depth=18,
    **computed,
):
    """Writes run.json, config.gin and, if there are any, results.json; returns the folder.

    `computed` is more of the backbone's configuration.
    """
    backbone = {"name": "backbone", "depth": depth, "width_multiplier": 0.0625} | computed
    os.makedirs(model_dir, exist_ok=True)
    run_info.write(str(model_dir), run_info.RunInfo(str(data_dir), backbone, clip, origin))
    if results is not None:
        run_info.write_results(str(model_dir), results, step=30)
    with open(os.path.join(model_dir, "config.gin"), "w", encoding="utf-8") as file:
        file.write(config)
    return str(model_dir)


def write_checkpoint(model_dir, *, step=30):
    """Saves the random weights of a run's backbone."""
    info = run_info.read(str(model_dir))
    checkpoint = tf.train.Checkpoint(backbone=resnet_3d.ResNet3D.from_config(dict(info.backbone)))
    tf.train.CheckpointManager(checkpoint, str(model_dir), 1).save(step)


def write_weights(model_dir, *, step):
    """Saves a checkpoint of next to nothing, the only one; returns what a run of it began with."""
    checkpoint = tf.train.Checkpoint(weight=tf.Variable(float(step)))
    path = tf.train.CheckpointManager(checkpoint, str(model_dir), 1).save(step)
    return origin_lib.Origin(path, origin_lib.digest(path))


def write_training(model_dir):
    """Writes the curves and view pairs of a pre-training run of 30 steps."""
    steps = (10, 20, 30)
    curves = {
        "loss": (4.1, 3.1, 2.1),
        "contrastive_loss": (4.0, 3.0, 2.0),
        "regularization_loss": (0.001, 0.0011, 0.0012),
        "accuracy": (0.125, 0.25, 0.5),
        "entropy": (2.0, 1.5, 1.0),
        "clips_per_second": (30.0, 40.0, 50.0),
        "input_wait_share": (0.0, 0.1, 0.2),
    }
    pairs = np.random.default_rng(0).integers(0, 255, [2, 32, 64, 3], np.uint8)
    points = {tag: dict(zip(steps, values, strict=True)) for tag, values in curves.items()}
    write_events(os.path.join(model_dir, "train"), points, {"view_pairs": pairs})
    write_events(os.path.join(model_dir, "eval"), {"knn_top1": {10: 0.5, 20: 1.0}})


def actors(number, *, example_id=None):
    """Returns a record of a red person on the left that hops and a green one that slides."""
    generator = np.random.default_rng(number)
    picture, boxes = np.full([48, 80, 3], 60, np.uint8), []
    for label in range(2):
        top, left = generator.integers(2, 20), 40 * label + generator.integers(2, 14)
        picture[top : top + 24, left : left + 22] = np.eye(3)[label] * 220
        corners = (top / 48, left / 80, (top + 24) / 48, (left + 22) / 80)
        boxes.append(regions.Box(*map(float, corners), labels=(label,)))
    return records.encode_example(
        [_jpeg(picture)] * 3,
        height=48,
        width=80,
        frame_rate=10.0,
        timestamps_us=range(3),
        example_id=example_id or f"film{number}@1",
        key_frame=regions.KeyFrame(1, tuple(boxes)),
    )


def write_detection(folder, *, label_names=("hop", "slide"), config=DETECTION, **named):
    """Writes records of two actors and a detection run on them; returns the run's folder."""
    data_dir = tiny_detector.write_records(folder / "records", label_names=label_names)
    for split in ("train", "test"):
        examples = [actors(number, **named) for number in range(2)]
        tiny_detector.write_split(data_dir, split, examples)
    source = tiny_detector.make_feed(data_dir, tiny.one_device())
    run = folder / "run"
    tiny_detector.write_run(run, source, tiny_detector.make_task(source))
    run_info.write_results(str(run), {"frame_map": 0.875}, step=1)
    (run / "config.gin").write_text(config, encoding="utf-8")
    return str(run)


@pytest.fixture(scope="session", name="demo")
def _demo(tmp_path_factory):
    """A pre-training run and, beside it, linear evaluations of it and of random weights."""
    folder = tmp_path_factory.mktemp("demo")
    data_dir = write_records(folder / "records")
    run = write_run(folder / "pretrain", data_dir=data_dir, results={"knn_top1": 0.75})
    write_checkpoint(run)
    write_training(run)
    for name, pretrained, top1 in (
        ("linear_eval", "pretrain", 0.875),
        ("linear_eval_random", "", 0.625),
    ):
        write_run(
            folder / name,
            data_dir=data_dir,
            config=LINEAR.format(pretrained=pretrained),
            results={"top1": top1, "top5": 1.0},
        )
    return folder
