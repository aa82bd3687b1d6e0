# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What is in the journal survives a kill at any byte; what is of another extraction is refused."""

import dataclasses
import re

import numpy as np
import pytest

from official_cvrl import errors
from official_cvrl.serving import journal, rows
from tests import full_disk

_SETTINGS = {"num_clips": 10}


def _rows(path, value):
    return rows.Rows(path, np.array([0, 5]), np.array([5, 9]), np.full([2, 3], value, np.float32))


def _open(output, settings=_SETTINGS, sample=(1.0, -2.0)):
    return journal.Journal(str(output), settings=settings, sample=np.array(sample, np.float32))


def test_cut_at_any_byte_the_whole_entries_before_it_are_there(tmp_path):
    output, file = tmp_path / "x.npz", tmp_path / "x.npz.journal"
    kept = _open(output)
    ends = [file.stat().st_size]
    for value, path in enumerate(("a", "b\n.mp4")):
        kept.append(_rows(path, value))
        ends.append(file.stat().st_size)
    kept.close(keep=True)
    whole = file.read_bytes()
    for size in range(ends[0], len(whole) + 1, 7):
        file.write_bytes(whole[:size])
        kept = _open(output)
        there = sum(end <= size for end in ends[1:])
        assert [one.path for one in kept.read(["a", "b\n.mp4"])] == ["a", "b\n.mp4"][:there]
        kept.append(_rows("c", 7))
        kept.close(keep=True)
        kept = _open(output)
        (found,) = kept.read(["c"])
        np.testing.assert_array_equal(found.embeddings, np.full([2, 3], 7))
        assert (found.start_us.tolist(), found.end_us.tolist()) == ([0, 5], [5, 9])
        assert len(kept) == there + 1
        kept.close(keep=True)


def test_a_changed_byte_ends_it(tmp_path):
    output, file = tmp_path / "x.npz", tmp_path / "x.npz.journal"
    kept = _open(output)
    kept.append(_rows("a", 1))
    kept.close(keep=True)
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    kept = _open(output)
    assert "a" not in kept
    kept.close(keep=True)


def test_other_settings_are_refused_by_name(tmp_path):
    kept = _open(tmp_path / "x.npz")
    kept.append(_rows("a", 1))
    kept.close(keep=True)
    for settings, told in (
        ({"num_clips": 2}, "begun: --num_clips=10 there, --num_clips=2 now. "),
        ({"hop": "0.5s"}, "begun: --num_clips=10 there, --hop=0.5s now. "),
        (_SETTINGS | {"num_frames": 8}, "begun: none there, num_frames 8 now. "),
    ):
        with pytest.raises(errors.UserError, match=f"{re.escape(told)}.*delete"):
            _open(tmp_path / "x.npz", settings)


@pytest.mark.parametrize("sample", [(1.0, -2.1), (1.0, -2.0, 0.0), (float("nan"), -2.0)])
def test_another_model_of_the_same_name_is_refused(tmp_path, sample):
    kept = _open(tmp_path / "x.npz")
    kept.append(_rows("a", 1))
    kept.close(keep=True)
    with pytest.raises(errors.UserError, match="another model of the same name.*num_clips.*delete"):
        _open(tmp_path / "x.npz", sample=sample)
    kept = _open(tmp_path / "x.npz", sample=(1.01, -1.98))  # The same, rounded otherwise.
    assert "a" in kept
    kept.close(keep=True)


def test_files_of_another_state_are_forgotten_and_the_last_rows_count(tmp_path):
    kept = _open(tmp_path / "x.npz")
    states = {"a": (1, 10), "b": (2, 20), "gone": (3, 30)}
    for path, state in states.items():
        kept.append(dataclasses.replace(_rows(path, 1), state=state, fault=f"half of {path}"))
    kept.close(keep=True)
    kept = _open(tmp_path / "x.npz")
    assert kept.forget_changed({"a": (1, 11), "b": (2, 20), "new": (4, 40), "gone": ()}) == 2
    assert ["a" in kept, "b" in kept, "gone" in kept] == [False, True, False]
    kept.append(dataclasses.replace(_rows("a", 2), state=(1, 11)))
    kept.close(keep=True)
    kept = _open(tmp_path / "x.npz")
    (found,) = kept.read(["a"])
    assert (found.state, found.embeddings[0, 0]) == ((1, 11), 2)
    assert kept.faults(["b", "a"]) == [rows.Fault("b", "half of b")]
    kept.close(keep=True)


@pytest.mark.parametrize("done", [0, 1])
def test_what_does_not_fit_on_the_disk_is_not_there_by_half(tmp_path, done):
    output, file = tmp_path / "x.npz", tmp_path / "x.npz.journal"
    kept = _open(output)
    for number in range(done):
        kept.append(_rows(str(number), number))
    size = file.stat().st_size
    with full_disk.full_after(size + 50), pytest.raises(errors.UserError) as caught:
        kept.append(_rows("large", 7))
    caught.match(f"{file} cannot be written: .*large.*make room.*goes on")
    assert file.stat().st_size == size
    kept.append(_rows("later", 8))
    kept.close(keep=True)
    kept = _open(output)
    assert [one.path for one in kept.read(["0", "large", "later"])] == ["0"] * done + ["later"]
    kept.close(keep=True)


def test_a_disk_that_is_full_from_the_start_keeps_nothing(tmp_path):
    with (
        full_disk.full_after(20),
        pytest.raises(errors.UserError, match="x.npz.journal cannot be written"),
    ):
        _open(tmp_path / "x.npz")
    assert list(tmp_path.iterdir()) == []


def test_two_at_once_are_refused(tmp_path):
    kept = _open(tmp_path / "x.npz")
    with pytest.raises(errors.UserError, match="in use"):
        _open(tmp_path / "x.npz")
    kept.close(keep=True)


def test_nothing_done_leaves_nothing_behind(tmp_path):
    _open(tmp_path / "x.npz").close(keep=True)
    kept = _open(tmp_path / "x.npz")
    kept.append(_rows("a", 1))
    kept.close(keep=False)
    assert list(tmp_path.iterdir()) == []
