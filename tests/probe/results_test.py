# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The table of several data sets: rows that can be told apart, and only what each has."""

import json

from official_cvrl.probe import results


def test_data_sets_with_unlike_measures_and_folders_of_one_name(tmp_path):
    found = {
        "/a/split1/records": ({"knn_top1": 0.5}, {}),
        "/a/split2/records": ({"knn_top1": 0.25, "linear_top5": 1.0}, {"l2": 0.1}),
    }
    text = results.write(str(tmp_path), found, settings={})
    assert text.split("\n") == [
        "| data | kNN top-1 | linear top-5 |",
        "|---|---|---|",
        "| split1/records | 50.0% | – |",
        "| split2/records | 25.0% | 100.0% |",
        "| mean | 37.5% | – |",
    ]
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["measures"] == {"knn_top1": 0.375}
    assert content["data"]["/a/split2/records"]["l2"] == 0.1
    assert (tmp_path / "results.md").read_text() == text + "\n"


def test_a_bar_in_a_name_ends_no_cell(tmp_path):
    text = results.write(str(tmp_path), {"/a/x|y": ({"knn_top1": 0.5}, {})}, settings={})
    assert text.split("\n")[2:] == [r"| x\|y | 50.0% |"]


def test_one_data_set_has_its_folders_name_and_no_mean(tmp_path):
    text = results.write(str(tmp_path), {"/a/records/": ({"knn_top1": 0.5}, {})}, settings={})
    assert text.split("\n")[2:] == ["| records | 50.0% |"]
