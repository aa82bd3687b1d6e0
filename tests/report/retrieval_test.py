# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""How neighbours are marked and explained."""

import dataclasses
import re

from PIL import Image

from official_cvrl.report import neighbors, pictures, retrieval

_STRIP = pictures.strip([Image.new("RGB", (8, 8))] * 3)


def _video(name, label=""):
    return neighbors.Video(name, label, _STRIP, 3)


_LABELLED = neighbors.Gallery(
    queries=[
        neighbors.Query(
            _video("test/1.mp4", "jump"),
            [
                neighbors.Neighbor(_video("train/1.mp4", "jump"), 0.98765, True),
                neighbors.Neighbor(_video("train/2.mp4", "<run>"), 0.5, False),
            ],
        )
    ],
    checkpoint="/runs/pretrain/ckpt-30",
    train_share=(2000, 239789),
    query_share=(160, 160),
    query_split="test",
    right_share=0.625,
)


def test_right_and_wrong_classes_are_marked():
    section = retrieval.section(_LABELLED)
    figures = re.findall(r'<figure class="([^"]*)".*?<figcaption>(.*?)</figcaption>', section)
    assert figures == [
        ("video", "jump<small>test video</small>"),
        (
            "video right",
            '<i role="img" aria-label="right class">✓</i> jump<small>0.988</small>',
        ),
        (
            "video wrong",
            '<i role="img" aria-label="other class">✗</i> &lt;run&gt;<small>0.500</small>',
        ),
    ]


def test_how_many_videos_stand_behind_it():
    section = retrieval.section(_LABELLED)
    assert (
        "Embedded with ckpt-30: 2,000 of 239,789 training videos and all 160 test videos; "
        "the single nearest has the right class for 62.5%." in section
    )


def test_without_labels_there_are_no_marks():
    query = neighbors.Query(_video("a.mp4"), [neighbors.Neighbor(_video("b.mp4"), 0.5, None)])
    gallery = dataclasses.replace(
        _LABELLED,
        queries=[query],
        right_share=None,
        query_split="train",
        train_share=(9, 9),
        query_share=(9, 9),
    )
    section = retrieval.section(gallery)
    assert "<i" not in re.sub("<img", "", section)
    assert "Embedded with ckpt-30: all 9 training videos." in section
    assert "b.<wbr>mp4<small>0.500</small>" in section


def test_the_reason_is_text():
    assert "Not on this page: no &lt;b&gt;" in retrieval.missing("no <b>")
