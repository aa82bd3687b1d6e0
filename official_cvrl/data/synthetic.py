# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The embedded data set: real video files whose class is a place and a camera motion.

A camera moves over photographs that scikit-image and scikit-learn ship. The photograph is how a
class looks, the motion is how it moves; light, tint, position, scale, direction and speed are drawn
anew for each video, train and test alike, so no two videos are the same.
"""

import concurrent.futures
import functools
import importlib.util
import os
import shutil
import tempfile
from fractions import Fraction

import av
import cv2
import numpy as np

# Few places: another video of the same place is a negative too, and only its motion tells it apart.
_PHOTOGRAPHS = {
    "astronaut": "skimage/data/astronaut.png",
    "china": "sklearn/datasets/images/china.jpg",
    "coffee": "skimage/data/coffee.png",
    "coins": "skimage/data/coins.png",
}
_MOTIONS = ("pan", "shake")
_SHORT_SIDE = 200  # of a photograph, in pixels, before the camera looks at it
_SPLITS = ("train", "test")


def class_names() -> tuple[str, ...]:
    """Returns the names of the classes, PLACE_MOTION, sorted."""
    return tuple(sorted(f"{place}_{motion}" for place in _PHOTOGRAPHS for motion in _MOTIONS))


def write_videos(
    output_dir: str,
    *,
    seed: int = 0,
    num_train_per_class: int = 72,
    num_test_per_class: int = 24,
    size: int = 64,
    num_frames: int = 32,
    frame_rate: int = 16,
) -> None:
    """Writes output_dir/SPLIT/CLASS/NNN.mp4, H.264; the same arguments give the same bytes.

    Args:
        output_dir: a folder that is not there yet; it appears whole or not at all.
        seed: of every draw.
        num_train_per_class: videos of each class in train/.
        num_test_per_class: videos of each class in test/.
        size: height and width in pixels, even.
        num_frames: frames of a video.
        frame_rate: frames a second.

    Raises:
        ValueError: an odd size, or a count that is not positive.
        FileExistsError: output_dir is there already.
    """
    if size % 2 or min(size, num_train_per_class, num_test_per_class, num_frames) < 1:
        raise ValueError(
            f"{size=} must be even, {num_train_per_class=}, {num_test_per_class=} and "
            f"{num_frames=} positive."
        )
    if os.path.exists(output_dir):
        raise FileExistsError(output_dir)
    parent = os.path.dirname(os.path.abspath(output_dir))
    os.makedirs(parent, exist_ok=True)
    scratch = tempfile.mkdtemp(dir=parent, prefix=".writing-")
    try:
        counts = dict(zip(_SPLITS, (num_train_per_class, num_test_per_class), strict=True))
        write = functools.partial(
            _write_class, scratch, seed, counts, (size, num_frames, frame_rate)
        )
        for place in _PHOTOGRAPHS:  # Before the threads, which would load each several times.
            _photograph(place)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(write, range(len(class_names()))))
        os.rename(scratch, output_dir)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def draw_video(name: str, *, seed: tuple[int, ...], size: int, num_frames: int) -> np.ndarray:
    """Draws one video of a class.

    Args:
        name: one of `class_names()`.
        seed: decides everything that is drawn.
        size: height and width.
        num_frames: frames.

    Returns:
        uint8 [num_frames, size, size, 3].
    """
    place, motion = name.split("_")
    generator = np.random.default_rng(seed)
    photograph = _photograph(place)
    path = _camera_path(motion, generator, num_frames)
    frames = np.stack([_look(photograph, view, size) for view in path])
    if generator.random() < 0.5:
        frames = frames[:, :, ::-1]
    return _relight(frames, generator)


@functools.cache
def _photograph(place):
    """Grey values of a photograph in [0, 1], scaled to the common short side."""
    package, file = _PHOTOGRAPHS[place].split("/", 1)
    # Found, not imported: scikit-learn takes three seconds to import.
    folder = os.path.dirname(importlib.util.find_spec(package).origin)
    grey = cv2.imread(os.path.join(folder, file), cv2.IMREAD_GRAYSCALE)
    scale = _SHORT_SIDE / min(grey.shape)
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / 255


def _camera_path(motion, generator, num_frames):
    """Returns (x, y, side) of the camera's window, in short sides from the photograph's centre."""
    time = np.linspace(-0.5, 0.5, num_frames)
    side = generator.uniform(0.5, 0.7)
    x, y = generator.uniform(-0.15, 0.15, 2)
    angle, speed = generator.uniform(0, 2 * np.pi), generator.uniform(0.8, 1.25)
    if motion == "pan":
        travelled = 0.5 * speed * time
    else:
        phase, cycles = generator.uniform(0, 2 * np.pi), 5 * speed
        travelled = 0.08 * np.sin(2 * np.pi * cycles * time + phase)
    return [(x + d * np.cos(angle), y + d * np.sin(angle), side) for d in travelled]


def _look(photograph, view, size):
    """Renders what the camera sees of a photograph, [size, size]."""
    x, y, side = view
    scale = side * _SHORT_SIDE / size
    height, width = photograph.shape
    left = width / 2 + x * _SHORT_SIDE - scale * (size - 1) / 2
    top = height / 2 + y * _SHORT_SIDE - scale * (size - 1) / 2
    matrix = np.array([[scale, 0, left], [0, scale, top]], np.float32)
    return cv2.warpAffine(
        photograph,
        matrix,
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )


def _relight(frames, generator):
    """Gives a video its own brightness, contrast, tint and noise; uint8 RGB."""
    # In float64, so that no rounding of a sum reaches the pixels.
    frames = frames.astype(np.float64)
    normalized = (frames - frames.mean()) / (frames.std() + 0.03)
    contrast = 0.2 * np.exp(generator.uniform(-0.9, 0.5))
    grey = 0.5 + generator.uniform(-0.25, 0.25) + contrast * normalized
    tint = np.exp(generator.uniform(-0.6, 0.6, 3))
    noise = generator.normal(0, 0.02, [*frames.shape, 3])
    return np.uint8(np.clip(grey[..., None] * tint + noise, 0, 1) * 255 + 0.5)


def _write_class(folder, seed, counts, shape, index):
    size, num_frames, frame_rate = shape
    name = class_names()[index]
    for split, (part, count) in zip(range(len(counts)), counts.items(), strict=True):
        os.makedirs(os.path.join(folder, part, name))
        for number in range(count):
            pictures = draw_video(
                name, seed=(seed, split, index, number), size=size, num_frames=num_frames
            )
            write_video(os.path.join(folder, part, name, f"{number:03d}.mp4"), pictures, frame_rate)


def write_video(path: str, pictures: np.ndarray, frame_rate: int) -> None:
    """Writes uint8 [num_frames, height, width, 3] as H.264; the same bytes on every machine."""
    with av.open(path, "w") as container:
        # One thread, and none of x264's shortcuts whose bytes depend on the processor; with its
        # macroblock tree one file in a hundred was another each time.
        options = {"crf": "18", "preset": "veryfast", "threads": "1"}
        options["x264-params"] = "cpu-independent=1:mbtree=0"
        stream = container.add_stream("libx264", rate=Fraction(frame_rate), options=options)
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
