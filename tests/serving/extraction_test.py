# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""From files to a table: what is in it, what is left out, and where a run goes on."""

import functools
import os
import shutil
import threading
import time

import numpy as np
import pytest
import tensorflow as tf

from official_cvrl import errors
from official_cvrl.data import clip_format
from official_cvrl.serving import (
    client,
    embedder,
    extraction,
    local,
    patience,
    questions,
    tables,
    windows,
)
from tests.e2e import conftest as videos
from tests.serving import stand_in
from tfrecords_tools import video


@pytest.fixture(scope="module", name="served")
def _served(tmp_path_factory):
    return stand_in.write(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory):
    """Three videos of 12 frames at 10 a second, and a text."""
    folder = tmp_path_factory.mktemp("videos")
    (folder / "notes.txt").touch()
    for number in range(3):
        videos.write_video(folder / f"{number}.mp4", direction="left", seed=number, size=20)
    return folder


class _Counting(client.Client):
    """A model that counts what it is asked, the sample first; in between it can do otherwise."""

    def __init__(self, model, *, instead=lambda number, values: None):
        self.requests = []
        self._model, self._instead = model, instead

    def describe(self, *, timeout):
        return self._model.describe(timeout=timeout)

    def predict(self, signature, name, values, *, output, timeout):
        self._instead(len(self.requests), values)
        self.requests.append(values.shape)
        return self._model.predict(signature, name, values, output=output, timeout=timeout)


def _after(answers, fault):
    """Fails whatever is asked after so many answers."""

    def instead(number, _):
        if number >= answers:
            raise fault

    return instead


def _leave_journal(served, paths, output):
    """Embeds videos into a table that cannot be written in the end."""
    model = _Counting(local.Local(served), instead=lambda *_: os.makedirs(output, exist_ok=True))
    with pytest.raises(errors.UserError, match="cannot be written"):
        extraction.extract(model, paths, output, options=_options())
    os.rmdir(output)


def _options(**given):
    asking = questions.Asking(**{key: given.pop(key) for key in [*given] if key in _ASKING})
    return extraction.Options(**given, temporal_stride=1, asking=asking)


_ASKING = ("signature", "clips_per_request", "requests_at_once")


def _expected(path, frames):
    jpegs = video.read_video(path, settings=video.Settings()).frames
    pixels = np.stack([tf.io.decode_jpeg(jpeg) for jpeg in jpegs]).astype(np.float32) / 255
    return pixels[np.array(frames)].mean(axis=(1, 2, 3))


@pytest.mark.parametrize("signature", ["encoded_frames", "serving_default"])
def test_a_row_is_the_mean_over_clips(served, folder, tmp_path, signature):
    output = str(tmp_path / "x.npz")
    options = _options(num_clips=3, clips_per_request=2, requests_at_once=2, signature=signature)
    model = _Counting(local.Local(served))
    outcome = extraction.extract(model, [str(folder)], output, options=options)
    assert outcome == extraction.Outcome([], [], shape=(3, 3), num_others=1)
    table = tables.read(output)
    assert table.paths == [str(folder / f"{number}.mp4") for number in range(3)]
    for path, row in zip(table.paths, table.embeddings, strict=True):
        each = _expected(path, [range(4), range(4, 8), range(8, 12)])
        np.testing.assert_allclose(row, each.mean(axis=0), atol=1e-6)
        assert np.ptp(each, axis=0).max() > 1e-3
    assert (table.start_us.tolist(), table.end_us.tolist()) == ([0] * 3, [1_200_000] * 3)
    assert sorted(shape[0] for shape in model.requests[1:]) == [1, 1, 1, 2, 2, 2]


def test_each_window_has_a_row(served, folder, tmp_path):
    output = str(tmp_path / "x.parquet")
    hop = windows.Length(4, in_seconds=False)
    options = _options(hop=hop, clips_per_request=1, requests_at_once=3)
    path = str(folder / "1.mp4")
    extraction.extract(local.Local(served), [path], output, options=options)
    table = tables.read(output)
    assert list(table.paths) == [path] * 3
    assert table.start_us.tolist() == [0, 400_000, 800_000]
    assert table.end_us.tolist() == [400_000, 800_000, 1_200_000]
    expected = _expected(path, [range(4), range(4, 8), range(8, 12)])
    np.testing.assert_allclose(table.embeddings, expected, atol=1e-6)


class _Striding(_Counting):
    """Says of itself how far apart it wants frames, as a server's model does."""

    def predict(self, signature, name, values, *, output, timeout):
        if output == "temporal_stride":
            return np.full([len(values)], 3)
        return super().predict(signature, name, values, output=output, timeout=timeout)


class _SayingNothing(_Counting):
    def predict(self, signature, name, values, *, output, timeout):
        if output == "temporal_stride":
            raise client.Refused("output tensor alias not found")
        return super().predict(signature, name, values, output=output, timeout=timeout)


def test_a_servers_model_says_how_far_apart_it_wants_frames(served, folder, tmp_path):
    path, output = str(folder / "0.mp4"), str(tmp_path / "x.npz")
    options = extraction.Options(num_clips=1)
    extraction.extract(_Striding(local.Local(served)), [path], output, options=options)
    (row,) = tables.read(output).embeddings
    (expected,) = _expected(path, [range(1, 12, 3)])
    np.testing.assert_allclose(row, expected, atol=1e-6)
    with pytest.raises(errors.UserError, match="does not say how far apart.*--temporal_stride=N"):
        extraction.extract(_SayingNothing(local.Local(served)), [path], output, options=options)


def test_a_bad_video_is_one_of_many(served, folder, tmp_path):
    wide, broken = tmp_path / "a_wide_one.mp4", tmp_path / "broken.mp4"
    videos.write_video(wide, direction="left", seed=0, size=32)
    broken.write_bytes(b"not a video")
    output = str(tmp_path / "x.npz")
    missing = str(tmp_path / "missing.mp4")
    (tmp_path / "list.csv").write_text("path,label\nmissing.mp4,\n,nothing\n")
    paths = [str(wide), str(broken), str(tmp_path / "list.csv"), str(folder / "0.mp4")]
    outcome = extraction.extract(local.Local(served), paths, output)
    failed = outcome.failed
    assert not outcome.partial
    line = f"{tmp_path}/list.csv:3"
    assert [failure.path for failure in failed] == [line, str(wide), str(broken), missing]
    assert failed[0].reason == "the line has no path"
    assert "assertion failed" in failed[1].reason
    assert failed[2].reason.startswith("unreadable: ")
    assert failed[3].reason == "no such file"
    assert tables.read(output).paths == [str(folder / "0.mp4")]
    with pytest.raises(errors.UserError, match=f"No video of 2 has an embedding; {wide}: "):
        extraction.extract(local.Local(served), paths[:2], output)
    assert tables.read(output).paths == [str(folder / "0.mp4")]


def test_a_run_that_was_ended_goes_on_where_it_was(served, folder, tmp_path):
    output = tmp_path / "x.npz"
    silent = _Counting(local.Local(served), instead=_after(2, client.Unavailable("silent")))
    options = _options(patience=0.0, clips_per_request=10)
    with pytest.raises(errors.TryAgain, match="No answer for 0 s: silent.*goes on from there"):
        extraction.extract(silent, [str(folder)], str(output), options=options)
    assert not output.exists()
    model = _Counting(local.Local(served))
    extraction.extract(model, [str(folder)], str(output), options=_options())
    # Two requests a video now; the one video that was done is not asked again.
    assert (len(silent.requests), len(model.requests)) == (2, 5)
    whole = str(tmp_path / "whole.npz")
    extraction.extract(local.Local(served), [str(folder)], whole, options=_options())
    np.testing.assert_array_equal(
        tables.read(str(output)).embeddings, tables.read(whole).embeddings
    )
    assert {path.name for path in tmp_path.iterdir()} == {"x.npz", "whole.npz"}


def test_the_same_model_under_another_number_goes_on_with_it(served, folder, tmp_path):
    versions = tmp_path / "versions"
    shutil.copytree(served, versions)
    fault = client.Unavailable("silent")
    silent = _Counting(local.Local(str(versions)), instead=_after(2, fault))
    arguments = [str(folder)], str(tmp_path / "x.npz")
    options = _options(patience=0.0, clips_per_request=10)
    with pytest.raises(errors.TryAgain, match="No answer"):
        extraction.extract(silent, *arguments, options=options)
    shutil.copytree(versions / "1", versions / "2")
    model = _Counting(local.Local(str(versions)))
    extraction.extract(model, *arguments, options=options)
    assert len(model.requests) == 1 + 2  # The sample, and the two videos that were not done.


def test_other_weights_in_the_same_place_are_another_model(served, tmp_path):
    folder = tmp_path / "1"
    shutil.copytree(f"{served}/1", folder)

    def checksum(value):
        module = tf.Module()
        module.weight = tf.Variable(value)
        tf.saved_model.save(module, str(folder))
        described = local.Local(str(folder)).describe(timeout=1)
        assert described.name == str(folder)
        return described.checksum

    first, second = checksum(1.0), checksum(2.0)
    assert first != second
    shutil.copytree(folder, tmp_path / "2")
    assert local.Local(str(tmp_path / "2")).describe(timeout=1).checksum == second


def test_the_model_is_told_and_its_table_not_replaced_by_anothers(served, folder, tmp_path, capsys):
    other = tmp_path / "other" / "2"
    shutil.copytree(f"{served}/1", other)
    with open(other / "saved_model.pb", "ab") as file:
        file.write(b"\x08\x01")  # One field once more: the same graph, and another checksum.
    arguments = [str(folder)], str(tmp_path / "x.npz")
    extraction.extract(local.Local(served), *arguments, options=_options())
    assert capsys.readouterr().out.startswith(f"Model: {served}/1 (sha256 ")
    before = (tmp_path / "x.npz").read_bytes()
    with pytest.raises(errors.UserError, match="x.npz is a finished table of another model"):
        extraction.extract(local.Local(str(other.parent)), *arguments, options=_options())
    assert capsys.readouterr().out.startswith(f"Model: {other} (sha256 ")
    assert (tmp_path / "x.npz").read_bytes() == before
    (tmp_path / "x.npz").unlink()
    extraction.extract(local.Local(str(other.parent)), *arguments, options=_options())
    assert capsys.readouterr().out.startswith(f"Model: {other} (sha256 ")


def test_a_damaged_model_is_named(served, tmp_path):
    folder = tmp_path / "1"
    shutil.copytree(f"{served}/1", folder)
    weights = folder / "variables" / "variables.data-00000-of-00001"
    weights.write_bytes(b"\0" * weights.stat().st_size)
    with pytest.raises(errors.UserError, match=f"{folder} cannot be loaded: .*serving.export"):
        local.Local(str(folder))


def test_a_model_of_the_same_name_that_says_something_else_does_not_go_on(served, folder, tmp_path):
    class Brighter(_Counting):
        def predict(self, *arguments, **named):
            return 1.05 * super().predict(*arguments, **named)

    silent = _Counting(local.Local(served), instead=_after(2, client.Unavailable("silent")))
    arguments = [str(folder)], str(tmp_path / "x.npz")
    options = _options(patience=0.0, clips_per_request=10)
    with pytest.raises(errors.TryAgain):
        extraction.extract(silent, *arguments, options=options)
    with pytest.raises(errors.UserError, match="another model of the same name"):
        extraction.extract(Brighter(local.Local(served)), *arguments, options=_options())


def test_a_video_that_changed_since_is_embedded_anew(served, folder, tmp_path, capsys):
    videos_now = tmp_path / "videos"
    shutil.copytree(folder, videos_now)
    output = str(tmp_path / "x.npz")
    _leave_journal(served, [str(videos_now)], output)
    shutil.copy(folder / "2.mp4", videos_now / "0.mp4")
    (videos_now / "1.mp4").write_bytes(b"broken since")
    model = _Counting(local.Local(served))
    outcome = extraction.extract(model, [str(videos_now)], output, options=_options())
    assert len(model.requests) == 1 + 2  # The sample, and two of the video that changed.
    assert [fault.path for fault in outcome.failed] == [str(videos_now / "1.mp4")]
    table = tables.read(output)
    assert table.paths == [str(videos_now / name) for name in ("0.mp4", "2.mp4")]
    np.testing.assert_array_equal(table.embeddings[0], table.embeddings[1])
    assert "2 videos changed since" in capsys.readouterr().err


def test_what_is_read_in_part_is_named_whichever_run_read_it(served, folder, tmp_path):
    half, output = tmp_path / "half.mkv", tmp_path / "x.npz"
    videos.write_video(half, direction="left", seed=0, size=20, num_frames=40)
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])
    paths = [str(half), str(folder)]
    _leave_journal(served, paths, str(output))
    model = _Counting(local.Local(served))
    for asked in (1, 1 + 8):  # The second run reads everything itself.
        outcome = extraction.extract(model, paths, str(output), options=_options())
        assert len(model.requests) == asked + (asked > 1)
        assert not outcome.failed
        ((path, reason),) = [(fault.path, fault.reason) for fault in outcome.partial]
        assert path == str(half)
        assert reason.startswith("the first 1.5 of 4.0 s decode")
        assert len(tables.read(str(output)).paths) == 4


def test_a_version_that_is_dropped_ends_the_run_and_spoils_no_video(served, folder, tmp_path):
    output = tmp_path / "x.npz"
    dropped = _Counting(local.Local(served), instead=_after(2, client.Gone("NOT_FOUND: cvrl 1")))
    arguments = [str(folder)], str(output)
    with pytest.raises(errors.UserError, match="dropped.*NOT_FOUND: cvrl 1.*x.npz.journal"):
        extraction.extract(dropped, *arguments, options=_options(clips_per_request=10))
    assert not output.exists()
    outcome = extraction.extract(local.Local(served), *arguments, options=_options())
    assert not outcome.failed
    assert len(tables.read(str(output)).paths) == 3


def test_a_version_that_is_dropped_while_a_video_waits_is_no_fault_of_the_video(
    served, folder, tmp_path
):
    dropped = False

    def instead(number, _):
        nonlocal dropped
        if dropped:
            raise client.Gone("NOT_FOUND: cvrl 1")
        if number >= 3:  # The last video's; without patience, the next question is the sample.
            dropped = True
            raise client.Unavailable("silent")

    output = tmp_path / "x.npz"
    model = _Counting(local.Local(served), instead=instead)
    options = _options(clips_per_request=10, patience=0.0)
    with pytest.raises(errors.UserError, match="dropped.*NOT_FOUND: cvrl 1.*x.npz.journal"):
        extraction.extract(model, [str(folder)], str(output), options=options)
    assert {path.name for path in tmp_path.iterdir()} == {"x.npz.journal"}


@pytest.mark.parametrize("at_once", [1, 3])
def test_a_video_that_is_never_answered_is_one_of_many(served, folder, tmp_path, at_once):
    dark = video.read_video(folder / "1.mp4", settings=video.Settings()).frames[0]

    def instead(_, values):
        if values[0, 0] == dark:
            raise client.Unavailable("INTERNAL: too dark")

    output, options = str(tmp_path / "x.npz"), _options(patience=0.1, requests_at_once=at_once)
    model = _Counting(local.Local(served), instead=instead)
    (fault,) = extraction.extract(model, [str(folder)], output, options=options).failed
    assert fault.path == str(folder / "1.mp4")
    assert "no answer, though there is one to other clips: INTERNAL: too dark" in fault.reason
    assert tables.read(output).paths == [str(folder / "0.mp4"), str(folder / "2.mp4")]


def test_who_ends_it_early_need_not_wait_and_no_other_window_is_asked(served, folder):
    paths = [str(folder / f"{number}.mp4") for number in range(3)]
    last = video.read_video(paths[2], settings=video.Settings()).frames
    asked, answering = threading.Event(), threading.Event()

    def instead(_, values):
        if values[0, 0] in last:
            asked.set()
            answering.wait(60)

    model, hop = _Counting(local.Local(served), instead=instead), windows.Length(1, False)
    given = questions.Asking(clips_per_request=1), patience.Patience(60, say=print)
    asking = questions.Questions(model, asking=given[0], patient=given[1], num_frames=4)
    cut = functools.partial(windows.dense, num_frames=4, temporal_stride=1, window=None, hop=hop)
    running = embedder.Embedder(asking, cut=cut).run(paths)
    assert len(next(running).embeddings) == 9
    assert asked.wait(60)
    start, answered = time.monotonic(), len(model.requests)
    running.close()
    assert time.monotonic() - start < 2
    answering.set()
    for thread in threading.enumerate():
        if thread.name.startswith(("video_", "request_")):
            thread.join()
    assert len(model.requests) == answered + 1


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (extraction.Options, {"num_clips": 0}),
        (extraction.Options, {"temporal_stride": -1}),
        (extraction.Options, {"patience": float("nan")}),
        (questions.Asking, {"clips_per_request": 0}),
        (questions.Asking, {"timeout": 0.0}),
    ],
)
def test_numbers_that_are_too_small_are_named(kind, wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"{name}={value} must be"):
        kind(**wrong)


@pytest.mark.parametrize("kind", [extraction.Options, questions.Asking])
def test_numbers_are_given_by_name(kind):
    with pytest.raises(TypeError, match="positional"):
        kind(8, 60.0)


def test_a_model_that_embeds_nothing_is_refused_at_once(served, folder, tmp_path):
    model = _Counting(local.Local(served), instead=_after(0, client.Refused("no such op")))
    with pytest.raises(errors.UserError, match="does not even embed a sample clip: no such op"):
        extraction.extract(model, [str(folder)], str(tmp_path / "x.npz"))
    assert list(tmp_path.iterdir()) == []


def test_a_model_without_the_signature_is_named(served, folder, tmp_path):
    options = _options(signature="multi_view")
    with pytest.raises(errors.UserError, match="no signature multi_view; it has.*encoded_frames"):
        extraction.extract(
            local.Local(served), [str(folder)], str(tmp_path / "x.npz"), options=options
        )


@pytest.mark.parametrize("output", ["", "0.mp4/x.npz", "nowhere/x.npz"])
def test_an_output_that_cannot_be_written_is_refused_before_the_work(
    served, folder, tmp_path, output
):
    shutil.copy(folder / "0.mp4", tmp_path)
    model = _Counting(local.Local(served))
    target = str(tmp_path / output)
    with pytest.raises(errors.UserError, match="cannot be written.*--output=FILE") as caught:
        extraction.extract(model, [str(folder)], target)
    assert target in str(caught.value)
    assert not model.requests


def test_an_output_elsewhere_is_refused_as_videos_are(served, folder):
    with pytest.raises(errors.UserError, match="^--output=s3://b/x.npz must be on a local disk"):
        extraction.extract(local.Local(served), [str(folder)], "s3://b/x.npz")


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"num_frames": 4}', b"\xff"])
def test_a_broken_clip_format_is_named(tmp_path, content):
    (tmp_path / "saved_model.pb").write_bytes(b"")
    file = tmp_path / clip_format.SERVED_FILE
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(errors.UserError) as caught:
        local.Local(str(tmp_path))
    assert str(file) in str(caught.value)
    assert "serving.export" in str(caught.value)
