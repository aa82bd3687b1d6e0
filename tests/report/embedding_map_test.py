# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Near embeddings lie near on the map, which is always the same; pictures are spread over it."""

import re

import numpy as np
from PIL import Image

from official_cvrl.report import embedding_map, pictures


def _clusters():
    generator = np.random.default_rng(0)
    centres = np.repeat(np.eye(3, 8), 8, axis=0)
    return np.repeat(np.arange(3), 8), centres + 0.05 * generator.normal(size=[24, 8])


def test_videos_of_a_cluster_lie_together_and_their_length_is_no_matter():
    labels, embeddings = _clusters()
    found = embedding_map.places(embeddings)
    assert (found.min(), found.max()) == (0, 1)
    distances = np.linalg.norm(found[:, np.newaxis] - found, axis=2) + 9 * np.eye(24)
    assert (labels[distances.argmin(axis=1)] == labels).all()
    # Powers of two, so that what is divided by the length is the same to the last bit.
    longer = embeddings * 2.0 ** (np.arange(24) % 5)[:, np.newaxis]
    np.testing.assert_array_equal(embedding_map.places(longer), found)


def test_the_fewest_videos_and_equal_ones():
    found = embedding_map.places(np.ones([embedding_map.FEWEST_VIDEOS, 4]))
    assert np.isfinite(found).all()


def test_pictures_are_far_apart():
    line = np.linspace(0, 1, 101)[:, np.newaxis] * [1, 0]
    assert sorted(embedding_map.spread(line, 5)) == [0, 25, 50, 75, 100]
    assert sorted(embedding_map.spread(line[:3], 5)) == [0, 1, 2]


def test_a_dot_a_video_in_the_colour_of_its_class():
    labels = np.array([0, 1, 0, -1])
    jpeg = pictures.strip([Image.new("RGB", (8, 8))])
    found = embedding_map.Map(np.eye(4, 2), labels, ("<a>", "b"), {1: jpeg}, "test")
    section = embedding_map.section(found)
    colours = re.findall(r'<circle[^>]*style="([^"]*)"', section)
    assert colours[0] == colours[2] and len(set(colours)) == 3
    assert re.findall(r"<circle[^>]*><title>(.*?)</title>", section) == [
        "&lt;a&gt;",
        "b",
        "&lt;a&gt;",
        "no class",
    ]
    assert section.count("<image ") == 1
    assert section.count("<li") == 2
