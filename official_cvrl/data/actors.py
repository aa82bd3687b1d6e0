# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The embedded data set of actors: films in which several actors do what a box says they do.

An actor is a striped patch of any colours. It stands still, slides (to and fro), hops (up and
down), or blinks (its stripes swap), the last also while it slides or hops. Look and motion are
drawn apart, and boxes are those of the key frame, so a single frame does not tell the motion.
"""

import csv
import functools
import os

import numpy as np

from official_cvrl.data import synthetic

LABELS = ("blink", "hop", "slide", "still")
TABLE = "boxes.csv"

_SIZE, _NUM_FRAMES, _FRAME_RATE = 64, 32, 16
_KEY_FRAME = 16
_ACTORS = 3
_COUNTS = {"train": 240, "test": 80}


def write_films(output_dir: str, *, seed: int = 0, counts=None) -> None:
    """Writes NAME.mp4 for each film, and `boxes.csv`, which `convert --dataset=boxes` reads.

    The same arguments give the same bytes.

    Args:
        output_dir: a folder; made if it is not there.
        seed: of every draw.
        counts: films by split; None for 240 to train with and 80 to test with.
    """
    os.makedirs(output_dir, exist_ok=True)
    rows = []
    for split_index, (split, count) in enumerate((counts or _COUNTS).items()):
        for number in range(count):
            name = f"{split}{number:03d}"
            frames, boxes = draw_film(seed=(seed, split_index, number))
            synthetic.write_video(os.path.join(output_dir, f"{name}.mp4"), frames, _FRAME_RATE)
            second = _KEY_FRAME / _FRAME_RATE
            rows += [(name, second, *corners, "|".join(labels), split) for corners, labels in boxes]
    with open(os.path.join(output_dir, TABLE), "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["video", "second", "x1", "y1", "x2", "y2", "label", "split"])
        writer.writerows(rows)


def draw_film(*, seed: tuple[int, ...]) -> tuple[np.ndarray, list[tuple[tuple, tuple[str, ...]]]]:
    """Draws one film.

    Returns:
        uint8 [32, 64, 64, 3], and for each of its actors the corners (x1, y1, x2, y2) of its box in
        the key frame, frame 16, in [0, 1], and what it does.
    """
    generator = np.random.default_rng(seed)
    frames = np.repeat(_background(generator)[np.newaxis], _NUM_FRAMES, axis=0)
    boxes = []
    for place in generator.permutation(4)[:_ACTORS]:
        labels = _labels(generator)
        path, looks = _path(generator, place, labels), _looks(generator, "blink" in labels)
        for frame, (top, left), look in zip(frames, path, looks, strict=True):
            frame[top : top + len(look), left : left + look.shape[1]] = look
        (top, left), (height, width, _) = path[_KEY_FRAME], looks[0].shape
        corners = (left, top, left + width, top + height)
        boxes.append((tuple(float(corner) / _SIZE for corner in corners), labels))
    noise = generator.normal(0, 4, frames.shape)
    return np.uint8(np.clip(frames + noise, 0, 255)), boxes


def _labels(generator):
    motion, blinks = generator.choice(["still", "slide", "hop"]), generator.random() < 0.4
    if motion == "still":
        return ("blink",) if blinks else ("still",)
    return (str(motion), "blink") if blinks else (str(motion),)


def _path(generator, place, labels):
    """Top and left of the actor in each frame: int [32, 2], around its quarter of the picture."""
    phase, cycles = generator.uniform(0, 2 * np.pi), generator.uniform(2.5, 4.0)
    swing = np.sin(2 * np.pi * cycles * np.arange(_NUM_FRAMES) / _NUM_FRAMES + phase)
    along = np.array(["hop" in labels, "slide" in labels]) * generator.uniform(4.0, 5.5)
    middle = np.array(divmod(int(place), 2)) * 32 + 8 + generator.uniform(-2, 2, 2)
    return np.rint(middle + swing[:, np.newaxis] * along).astype(int)


def _looks(generator, blinks):
    """The patch in each frame: float [height, width, 3]."""
    height, width = generator.integers(13, 18, 2)
    colors = generator.uniform(0, 255, [2, 3])
    stripes = (np.add.outer(*(np.arange(n) for n in (height, width))) // 4) % 2
    phase, period = generator.integers(0, 4), 4
    patches = [colors[stripes], colors[1 - stripes]]
    swaps = [blinks and (step + phase) // (period // 2) % 2 for step in range(_NUM_FRAMES)]
    return [patches[int(swap)] for swap in swaps]


@functools.cache
def _grid():
    return np.mgrid[:_SIZE, :_SIZE] / _SIZE


def _background(generator):
    """A smooth gradient of colours, float [64, 64, 3]."""
    slope = np.tensordot(generator.uniform(-60, 60, [3, 2]), _grid() - 0.5, axes=1)
    return np.clip(generator.uniform(60, 195, 3) + np.moveaxis(slope, 0, -1), 0, 255)
