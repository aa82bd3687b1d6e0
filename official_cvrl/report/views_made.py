# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""How pre-training makes views: one draw for a clip (Figure 7), the interval (Figure 3)."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from PIL import Image

from official_cvrl import errors, manifest, records
from official_cvrl.data import faults, photometric, sampling, seeds, spatial
from official_cvrl.report import augmentations, pictures, runs

_INPUT = "pipeline.two_view_batches"
_DRAWS, _MOST_BINS = 4000, 24


@dataclasses.dataclass(frozen=True)
class Intervals:
    """How far apart the two clips of a video begin.

    Attributes:
        num_positions: T, start positions of a clip in the example video.
        trend: see `sampling.sample_interval`.
        power: see there.
        edges: int [num_bins + 1], intervals in frames; a bin ends before the next edge.
        measured: float [num_bins], share of the draws.
        expected: float [num_bins], by equation 2.
    """

    num_positions: int
    trend: str
    power: float
    edges: np.ndarray
    measured: np.ndarray
    expected: np.ndarray


@dataclasses.dataclass(frozen=True)
class Example:
    """A video of the training split as pre-training takes it.

    Attributes:
        name: of its record.
        strips: film strips (JPEG, frames) by what was done to the clip.
        intervals: of such a video; None if it is shorter than a clip, or both clips are at one
            place.
    """

    name: str
    strips: Mapping[str, tuple[bytes, int]]
    intervals: Intervals | None


def read(run: runs.Run) -> Example:
    """Draws from the run's own settings, on the first video of its training split.

    Raises:
        UserError: the records are gone or broken, or the settings do not say how views are made.
    """
    split = run.settings.value("experiment.run.train_split", "train")
    shards = manifest.find_shards(run.info.data_dir, split)
    told = {name: run.settings.value(f"{_INPUT}.{name}") for name in _WANTED}
    if missing := [name for name, value in told.items() if not isinstance(value, int)]:
        raise errors.UserError(f"config.gin does not say {_INPUT}.{missing[0]}")
    try:
        augmentation = augmentations.read(run.settings, "pretrain.Pretraining.augmentation")
        dataset = tf.data.TFRecordDataset(shards.paths[0], shards.compression)
        example = records.decode_example(next(iter(dataset.as_numpy_iterator())))
        strips = _strips(example, augmentation, **told)
    except (tf.errors.OpError, ValueError, OSError) as error:
        reason = faults.told(getattr(error, "message", str(error)))
        raise errors.UserError(f"{run.info.data_dir}: {reason}") from error
    positions = len(example.frames) - (told["num_frames"] - 1) * told["temporal_stride"]
    return Example(example.example_id, strips, _intervals(run.settings, positions))


_WANTED = ("num_frames", "temporal_stride", "crop_size")


def intervals(num_positions: int, *, trend: str, power: float) -> Intervals:
    """Draws intervals and holds them against equation 2.

    Args:
        num_positions: T, at least 2.
        trend: see `sampling.sample_interval`.
        power: see there.
    """
    edges = np.unique(np.linspace(0, num_positions, min(_MOST_BINS, num_positions) + 1).astype(int))
    counts, _ = np.histogram(_drawn(num_positions, trend, power), edges)
    below = _below(edges / num_positions, trend, power)
    return Intervals(num_positions, trend, power, edges, counts / _DRAWS, np.diff(below))


def _intervals(settings, num_positions):
    together = settings.value(f"{_INPUT}.temporal_augmentation", True) is False
    if num_positions < 2 or together:
        return None
    return intervals(
        num_positions,
        trend=settings.value(f"{_INPUT}.trend", "decreasing"),
        power=float(settings.value(f"{_INPUT}.power", 1.0)),
    )


def _drawn(num_positions, trend, power):
    @tf.function(autograph=False)
    def draw(drawn_seeds):
        return tf.map_fn(
            lambda seed: sampling.sample_interval(
                num_positions, seed=seed, trend=trend, power=power
            ),
            drawn_seeds,
            fn_output_signature=tf.int32,
        )

    return draw(seeds.split(tf.constant([0, 0]), _DRAWS)).numpy()


def _below(share, trend, power):
    """The part of intervals below a share of T: the integral of a t^b + c (equation 2)."""
    if trend == "uniform":
        return share
    rising = share ** (power + 1)
    return rising if trend == "increasing" else share + (share - rising) / power


def _strips(example, augmentation, *, num_frames, temporal_stride, crop_size):
    indices = sampling.dense_clip_frames(
        len(example.frames),
        num_frames=num_frames,
        temporal_stride=temporal_stride,
        num_test_clips=1,
    ).numpy()[0]
    encoded = tf.constant([example.frames[index] for index in indices])
    frames = spatial.decode_resized(encoded, min_resize=crop_size)
    made = {"raw": spatial.test_crops(frames, crop_size=crop_size, num_test_crops=1)[0].numpy()}
    for name, consistent in (("a draw a frame", False), ("a draw a clip", True)):
        chosen = dataclasses.replace(augmentation, temporally_consistent=consistent)
        made[name] = _view(encoded, chosen, crop_size)
    return {name: _strip(clip) for name, clip in made.items()}


def _view(encoded, augmentation, crop_size):
    spatial_seed, colour_seed = tf.unstack(seeds.split(tf.constant([0, 7]), 2))
    clip = spatial.random_crop_resize_flip(
        encoded, crop_size=crop_size, seed=spatial_seed, augmentation=augmentation
    )
    coloured = photometric.photometric(
        clip[tf.newaxis], colour_seed[tf.newaxis], view=0, augmentation=augmentation
    )
    return tf.cast(tf.round(coloured[0] * 255.0), tf.uint8).numpy()


def _strip(clip) -> tuple[bytes, int]:
    chosen: Sequence[int] = pictures.spread(len(clip), pictures.MOST_FRAMES)
    return pictures.strip([Image.fromarray(clip[index]) for index in chosen]), len(chosen)
