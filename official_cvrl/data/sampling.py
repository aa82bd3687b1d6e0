# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Which frames of a video make a clip (paper, section 3.3 and appendix A).

Everything is TensorFlow and stateless: the same seed gives the same frames. Frame indices wrap
round where a video is shorter than a clip.
"""

import tensorflow as tf

from official_cvrl.data import seeds as seeds_lib

TRENDS = ("decreasing", "uniform", "increasing")


def sample_interval(
    num_positions: tf.Tensor | int,
    *,
    seed: tf.Tensor,
    power: float = 1.0,
    trend: str = "decreasing",
) -> tf.Tensor:
    """Draws the interval between the starts of two clips, in frames.

    P(t) = a t^b + c over [0, T], T = num_positions (equation 2): "uniform" is constant,
    "increasing" is proportional to t^power, and "decreasing" to 1 - (t / T)^power. Inverse
    transform sampling by the binary search of Algorithm 2 on the cumulative distribution,
    normalised over [0, T].

    Args:
        num_positions: int [], T, how many start positions a clip has; at least 1.
        seed: int32 [2].
        power: b, positive.
        trend: "decreasing", "uniform" or "increasing".

    Returns:
        int32 [], in [0, num_positions).

    Raises:
        ValueError: a power that is not positive, or an unknown trend.
    """
    check_interval(power=power, trend=trend)
    length = tf.cast(num_positions, tf.float32)
    drawn = seeds_lib.uniform(seed)
    low, high = tf.constant(0), tf.cast(num_positions, tf.int32)

    def narrow(low, high):
        middle = (low + high) // 2
        above = _cdf(tf.cast(middle, tf.float32) / length, power=power, trend=trend) > drawn
        return tf.where(above, low, middle), tf.where(above, middle, high)

    low, _ = tf.while_loop(lambda low, high: high - low > 1, narrow, [low, high])
    return low


def check_interval(*, power: float, trend: str) -> None:
    """Refuses what is no distribution of `sample_interval`.

    Raises:
        ValueError: a power that is not positive, or an unknown trend.
    """
    if power <= 0:
        raise ValueError(f"power={power} must be positive.")
    if trend not in TRENDS:
        raise ValueError(f"trend={trend!r} must be one of {', '.join(TRENDS)}.")


def _cdf(share, *, power, trend):
    """Returns F(t) of equation 3 at t = share * T."""
    if trend == "uniform":
        return share
    if trend == "increasing":
        return share ** (power + 1)
    return ((power + 1) * share - share ** (power + 1)) / power


def two_view_frames(
    num_video_frames: tf.Tensor | int,
    *,
    num_frames: int,
    temporal_stride: int,
    seed: tf.Tensor,
    power: float = 1.0,
    trend: str = "decreasing",
    temporal_augmentation: bool = True,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws the frames of two clips of one video.

    The interval follows `sample_interval`, the first start is uniform over what remains, and which
    clip comes first is a coin toss. A video shorter than a clip wraps round; its two clips start
    independently.

    Args:
        num_video_frames: int [], frames of the video, at least 1.
        num_frames: frames of a clip.
        temporal_stride: video frames from one frame of a clip to the next.
        seed: int32 [2].
        power: of the interval's distribution.
        trend: of the interval's distribution.
        temporal_augmentation: False takes both clips at one place (Table 9, second row).

    Returns:
        Two int32 vectors [num_frames] of frame indices.
    """
    seeds = tf.unstack(seeds_lib.split(seed, 4))
    num_video_frames = tf.cast(num_video_frames, tf.int32)
    positions = num_video_frames - (num_frames - 1) * temporal_stride
    if not temporal_augmentation:
        start = seeds_lib.index_below(
            tf.where(positions > 0, positions, num_video_frames), seeds[0]
        )
        clip = _clip(start, num_video_frames, num_frames, temporal_stride)
        return clip, clip

    def apart():
        interval = sample_interval(positions, seed=seeds[0], power=power, trend=trend)
        first = seeds_lib.index_below(positions - interval, seeds[1])
        return first, first + interval

    def independent():
        return seeds_lib.index_below(num_video_frames, seeds[0]), seeds_lib.index_below(
            num_video_frames, seeds[1]
        )

    first, second = tf.cond(positions > 0, apart, independent)
    swap = seeds_lib.uniform(seeds[2]) < 0.5
    first, second = tf.where(swap, second, first), tf.where(swap, first, second)
    return (
        _clip(first, num_video_frames, num_frames, temporal_stride),
        _clip(second, num_video_frames, num_frames, temporal_stride),
    )


def random_clip_frames(
    num_video_frames: tf.Tensor | int, *, num_frames: int, temporal_stride: int, seed: tf.Tensor
) -> tf.Tensor:
    """Returns the frames of a clip that starts anywhere it fits, int32 [num_frames]."""
    num_video_frames = tf.cast(num_video_frames, tf.int32)
    positions = num_video_frames - (num_frames - 1) * temporal_stride
    start = seeds_lib.index_below(tf.where(positions > 0, positions, num_video_frames), seed)
    return _clip(start, num_video_frames, num_frames, temporal_stride)


def dense_clip_frames(
    num_video_frames: tf.Tensor | int,
    *,
    num_frames: int,
    temporal_stride: int,
    num_test_clips: int,
) -> tf.Tensor:
    """Returns clips spread evenly over the video, the first frame and the last among them.

    Args:
        num_video_frames: int [], frames of the video, at least 1.
        num_frames: frames of a clip.
        temporal_stride: video frames from one frame of a clip to the next.
        num_test_clips: how many clips; 1 is the middle clip.

    Returns:
        int32 [num_test_clips, num_frames]; a video shorter than a clip wraps round.
    """
    num_video_frames = tf.cast(num_video_frames, tf.int32)
    last = tf.maximum(num_video_frames - 1 - (num_frames - 1) * temporal_stride, 0)
    if num_test_clips == 1:
        starts = (last // 2)[tf.newaxis]
    else:
        starts = tf.cast(tf.linspace(0.0, tf.cast(last, tf.float32), num_test_clips), tf.int32)
    steps = tf.range(num_frames) * temporal_stride
    return (starts[:, tf.newaxis] + steps) % num_video_frames


def _clip(start, num_video_frames, num_frames, temporal_stride):
    return (start + tf.range(num_frames) * temporal_stride) % num_video_frames
