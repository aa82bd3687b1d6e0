# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Embeddings of files are those of their frames; one bad file, flag or folder spoils no others."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from official_cvrl import errors, run_info
from official_cvrl.data import clip_format
from official_cvrl.serving import export, extract
from tests.e2e import conftest as videos
from tests.report import conftest as runs
from tfrecords_tools import video


@pytest.fixture(scope="module", name="run")
def _run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    runs.write_run(folder, data_dir="nowhere")
    runs.write_checkpoint(folder)
    return str(folder)


@pytest.fixture(scope="module", name="served")
def _served(tmp_path_factory, run):
    return export.export(run, str(tmp_path_factory.mktemp("served")))


@pytest.fixture(name="clip")
def _clip(tmp_path):
    """A video whose frames are as large as the model resizes them to."""
    path = tmp_path / "clip.mp4"
    videos.write_video(path, direction="left", seed=0, size=20)
    return path


class _NarrowOnly(tf.Module):
    """Stands for a model that fails on some videos."""

    @tf.function(input_signature=[tf.TensorSpec([None, 4, None, None, 3], tf.uint8, name="clips")])
    def embed(self, clips):
        with tf.control_dependencies([tf.debugging.assert_less(tf.shape(clips)[3], 30)]):
            return {"embedding": tf.reduce_mean(tf.cast(clips, tf.float32), [1, 2, 3])}


@pytest.fixture(scope="module", name="narrow_only")
def _narrow_only(tmp_path_factory):
    folder = tmp_path_factory.mktemp("narrow_only")
    module = _NarrowOnly()
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.embed})
    file = folder / clip_format.SERVED_FILE
    file.parent.mkdir()
    file.write_text(runs.CLIP.to_json())
    return str(folder)


def _command(*arguments):
    return [sys.executable, "-m", "official_cvrl.serving.extract", *map(str, arguments)]


def test_an_embedding_is_the_mean_over_clips_of_the_backbones(run, served, clip):
    found = extract.Extractor(served).embed(str(clip), num_clips=2)
    jpegs = video.read_video(clip, settings=video.Settings()).frames
    frames = np.stack([tf.io.decode_jpeg(jpeg) for jpeg in jpegs])
    assert frames.shape == (12, 20, 20, 3)
    clips = np.stack([frames[0:4], frames[8:12]])[:, :, 2:18, 2:18].astype(np.float32) / 255
    backbone, _ = run_info.load_backbone(run, run_info.read_trained(run))
    first, last = backbone(clips, training=False)["embedding"].numpy()
    assert np.abs(first - last).max() > 0.01
    np.testing.assert_allclose(found, (first + last) / 2, rtol=1e-4, atol=1e-5)


def test_a_folder_may_hold_more_than_videos(narrow_only, clip, tmp_path):
    for name in ("notes.txt", "poster.JPG", ".hidden.mp4"):
        (tmp_path / name).write_bytes(b"libav would read this as a video\n" * 9)
    output = tmp_path / "embeddings.npz"
    assert extract.extract(narrow_only, [str(tmp_path)], str(output)) == []
    with np.load(output) as table:
        assert table["paths"].tolist() == [str(clip)]
    assert not (tmp_path / "embeddings.npz.tmp").exists()


def test_a_video_that_the_model_fails_on_is_one_of_many(narrow_only, clip, tmp_path):
    wide = tmp_path / "a_wide_one.mp4"
    videos.write_video(wide, direction="left", seed=0, size=32)
    output = tmp_path / "embeddings.npz"
    ((path, reason),) = extract.extract(narrow_only, [str(wide), str(clip)], str(output))
    assert path == str(wide)
    assert reason.startswith("unexpected InvalidArgumentError: ")
    with np.load(output) as table:
        assert table["paths"].tolist() == [str(clip)]
        assert table["embeddings"].shape == (1, 3)


@pytest.mark.parametrize("output", ["", "clip.mp4/x.npz", "nowhere/x.npz"])
def test_an_output_that_cannot_be_written_is_refused_before_the_work(clip, tmp_path, output):
    target = str(tmp_path / output)
    # There is no model either; were the output tried after it, the message would be of the model.
    with pytest.raises(errors.UserError, match="cannot be written.*--output=FILE") as caught:
        extract.extract(str(tmp_path), [str(clip)], target)
    assert target in str(caught.value)
    assert list(tmp_path.iterdir()) == [clip]


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"num_frames": 4}', b"\xff"])
def test_a_broken_clip_format_is_named(tmp_path, content):
    (tmp_path / "saved_model.pb").write_bytes(b"")
    file = tmp_path / clip_format.SERVED_FILE
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(errors.UserError) as caught:
        extract.Extractor(str(tmp_path))
    assert str(file) in str(caught.value)
    assert "serving.export" in str(caught.value)


def test_no_clips_are_refused():
    done = videos.python(*_command("--num_clips=0")[1:])
    assert done.returncode != 0
    assert "--num_clips=0" in done.stderr
    assert "Traceback" not in done.stderr


def test_interruption_is_no_fault(clip, tmp_path):
    model, output = tmp_path / "model", tmp_path / "embeddings.npz"
    pipe = model / clip_format.SERVED_FILE
    pipe.parent.mkdir(parents=True)
    (model / "saved_model.pb").write_bytes(b"")
    os.mkfifo(pipe)
    command = _command(f"--saved_model={model}", f"--videos={clip}", f"--output={output}")
    process = subprocess.Popen(command, cwd=videos.ROOT, stderr=subprocess.PIPE, text=True)
    with open(pipe, "wb"):  # Waits until the command reads its first file.
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert said == "Interrupted; nothing was written.\n"
    assert process.returncode == 130
    assert set(tmp_path.iterdir()) == {model, clip}
