# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""AVA's official files: what is read of them, what is left out and said, what is refused."""

import numpy as np
import pytest

from official_cvrl import ava_files, detection_metrics, errors


def _file(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def _read(path, read=ava_files.read_detections, excluded=()):
    frames = ava_files.KeyFrames()
    return read(path, label_ids=[12, 7], key_frames=frames, excluded=excluded), frames.times


def test_both_forms_of_action_lists(tmp_path):
    ours = _file(tmp_path, "a", 'label {\n name: "sit {down}"\n label_id: 11\n}\n')
    theirs = _file(tmp_path, "b", 'item {\n  name: "bend"\n  id: 1\n}\nitem { name: "x" id: 3 }')
    assert ava_files.read_labelmap(ours) == {11: "sit {down}"}
    assert ava_files.read_labelmap(theirs) == {1: "bend", 3: "x"}


@pytest.mark.parametrize("text", ["", "bend", 'item { name: "a" id: 1 } item { name: "b" id: 1 }'])
def test_action_lists_that_are_none(tmp_path, text):
    with pytest.raises(errors.UserError, match="actions?"):
        ava_files.read_labelmap(_file(tmp_path, "list.pbtxt", text))


def test_rows_become_boxes_of_the_list_s_classes(tmp_path):
    path = _file(tmp_path, "said.csv", "a,0902,0.1,0.2,0.3,0.4,7,0.5\nb,902.0,0,0,1,1,12,0.25\n")
    table, times = _read(path)
    np.testing.assert_array_equal(table.boxes.corners, [[0.2, 0.1, 0.4, 0.3], [0, 0, 1, 1]])
    assert table.boxes.labels.tolist() == [1, 0]
    assert table.boxes.scores.tolist() == [0.5, 0.25]
    assert [times[frame] for frame in table.boxes.frames] == [("a", 902.0), ("b", 902.0)]
    assert (table.num_rows, table.notes) == (2, ())


def test_what_does_not_count_is_counted_with_its_first_line(tmp_path):
    rows = ["a,1,0,0,1,1,7,1", "a,1,0,0,1,1,99,1", "a,2,0,0,1,1,7,1", "a,3,0,0,0,1,12,1"]
    path = _file(tmp_path, "said.csv", "\n".join([*rows, "a,3,-0.5,0,1,1,12,1"]))
    table, _ = _read(path, excluded={("a", 2.0)})
    assert table.boxes.labels.tolist() == [1, 0, 0]
    unknown, excluded, empty, outside = table.notes
    assert "1 of 5 rows have labels" in unknown and "(99" in unknown and "line 2" in unknown
    assert "excluded" in excluded and "line 3" in excluded
    assert "no area" in empty and "line 4" in empty
    assert "outside" in outside and "line 5" in outside


@pytest.mark.parametrize("count", [1, 5, 6])
def test_an_ellipsis_stands_for_labels_that_are_not_named(tmp_path, count):
    rows = [f"a,1,0,0,1,1,{100 + label},1" for label in range(count)]
    (note,) = _read(_file(tmp_path, "said.csv", "\n".join(rows)))[0].notes
    labels = ", ".join(str(100 + label) for label in range(min(count, 5)))
    assert f"({labels}{', …' if count > 5 else ''})" in note


@pytest.mark.parametrize("read", [_read, ava_files.read_exclusions])
def test_a_file_that_is_no_csv_is_named(tmp_path, read):
    path = _file(tmp_path, "said.csv", f"a,1\n{'x' * 200_000}\n".replace("a,1", "a,1" + ",0" * 6))
    with pytest.raises(errors.UserError, match=r"said\.csv: row 2 cannot be read: field larger"):
        read(path)


@pytest.mark.parametrize("path", ["gone.csv", "ram://gone.csv", "."])
def test_a_file_that_cannot_be_opened_is_named(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    for read in (_read, ava_files.read_exclusions, ava_files.read_labelmap):
        with pytest.raises(errors.UserError, match=f"{path}: cannot be read: "):
            read(path)


@pytest.mark.parametrize(
    "row, why",
    [
        ("a,1,0,0,1,1", "6 columns"),
        ("a,1,0,0,1,1,7,high", "score 'high' is not a number"),
        ("a,1,0,0,1,nan,7,1", "y2 'nan' is not a number"),
        ("a,1,0,0,1,1,run,1", "label id 'run'"),
        ("a,soon,0,0,1,1,7,1", "timestamp 'soon'"),
        (",1,0,0,1,1,7,1", "names no film"),
    ],
)
def test_rows_that_cannot_be_understood_are_named(tmp_path, row, why):
    path = _file(tmp_path, "said.csv", f"a,1,0,0,1,1,7,1\n{row}\n")
    with pytest.raises(errors.UserError) as refused:
        _read(path)
    assert all(part in str(refused.value) for part in (path, "1 rows", "line 2", why))


def test_ground_truth_may_name_key_frames_without_a_box_and_has_no_turned_ones(tmp_path):
    path = _file(tmp_path, "truth.csv", "a,1,,,,,,\na,2,0,0,1,1,7,0\n")
    table, _ = _read(path, ava_files.read_groundtruth)
    assert (len(table.boxes), table.num_rows) == (1, 1)
    turned = _file(tmp_path, "turned.csv", "a,2,0.9,0,0.1,1,7,0\n")
    with pytest.raises(errors.UserError, match="ends before it begins"):
        _read(turned, ava_files.read_groundtruth)


def test_an_empty_file_of_detections_is_said(tmp_path):
    table, _ = _read(_file(tmp_path, "said.csv", ""))
    assert "holds no detection" in table.notes[0]


def test_exclusions(tmp_path):
    path = _file(tmp_path, "excluded.csv", "a,0902\n\nb,7\n")
    assert ava_files.read_exclusions(path) == {("a", 902.0), ("b", 7.0)}
    with pytest.raises(errors.UserError, match=r"line 1 \(a\): has 1 columns"):
        ava_files.read_exclusions(_file(tmp_path, "bad.csv", "a\n"))


def test_what_is_written_is_read_again_unchanged(tmp_path):
    random = np.random.default_rng(0)
    corners, scores = random.random((50, 4)), random.random(50)
    # Float32 as the model gives them.
    boxes = detection_metrics.Boxes(
        random.integers(0, 3, 50),
        np.float32(corners),
        random.integers(0, 2, 50),
        np.float32(scores),
    )
    path, times = str(tmp_path / "said.csv"), [("a", 902.0), ("b", 3.5), ("c, d", 0.0)]
    ava_files.write_detections(path, boxes, key_times=times, label_ids=[12, 7])
    table, found = _read(path)
    np.testing.assert_array_equal(np.float32(table.boxes.corners), np.float32(corners))
    np.testing.assert_array_equal(np.float32(table.boxes.scores), np.float32(scores))
    assert table.boxes.labels.tolist() == boxes.labels.tolist()
    assert [found[frame] for frame in table.boxes.frames] == [
        times[frame] for frame in boxes.frames
    ]
