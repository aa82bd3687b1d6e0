# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What is in the journal survives a kill at any byte; what is of another extraction is refused."""

import numpy as np
import pytest

from official_cvrl import errors
from official_cvrl.serving import journal, rows

_SETTINGS = {"num_clips": 10}


def _rows(path, value):
    return rows.Rows(path, np.array([0, 5]), np.array([5, 9]), np.full([2, 3], value, np.float32))


def _open(output, settings=_SETTINGS):
    return journal.Journal(str(output), settings=settings)


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
    with pytest.raises(errors.UserError, match='"num_clips": 10.*"num_clips": 2.*delete'):
        _open(tmp_path / "x.npz", {"num_clips": 2})


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
