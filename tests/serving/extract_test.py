# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The command: embeddings of files are the backbone's, faults are said, a kill loses nothing."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from absl import flags

from official_cvrl.data import clip_format
from official_cvrl.serving import extract, extraction, tables
from tests.e2e import conftest as videos
from tests.serving import stand_in


@pytest.fixture(name="clip")
def _clip(tmp_path):
    """A video whose frames are as large as the model resizes them to."""
    path = tmp_path / "clip.mp4"
    videos.write_video(path, direction="left", seed=0, size=20)
    return path


def _command(*arguments):
    return [sys.executable, "-m", "official_cvrl.serving.extract", *map(str, arguments)]


def _start_and_wait(arguments, journal, *, num_done):
    """Starts the command; returns its process once so many videos are in the journal."""
    process = subprocess.Popen(
        _command(*arguments), cwd=videos.ROOT, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not (journal.exists() and journal.read_bytes().count(b".mp4") == num_done):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    return process


def _spoil_unnoticed(path):
    before = path.stat()
    path.write_bytes(b"\0" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _extract(*arguments):
    """Runs the command in this process, because one of its own takes seconds to start."""
    given = flags.FlagValues()
    extract.define_flags(given)
    return extract.run(given, given(["extract", *map(str, arguments)])[1:])


def test_without_flags_videos_are_embedded_as_without_options():
    given = flags.FlagValues()
    extract.define_flags(given)
    given(["extract"])
    assert extract._options(given) == extraction.Options()


def test_a_killed_run_goes_on_and_a_bad_video_shows_in_the_exit_code(tmp_path, capsys):
    folder, output = tmp_path / "videos", tmp_path / "x.tfrecord"
    folder.mkdir()
    for number in range(4):
        videos.write_video(folder / f"{number}.mp4", direction="left", seed=number, size=20)
    os.mkfifo(folder / "9.mp4")  # Whoever reads it waits for ever.
    model = stand_in.write(tmp_path / "model")
    arguments = f"--saved_model={model}", f"--videos={folder}", f"--output={output}"
    journal = tmp_path / "x.tfrecord.journal"
    process = _start_and_wait(arguments, journal, num_done=4)
    process.kill()
    process.wait()
    assert not output.exists()
    (folder / "9.mp4").unlink()
    (folder / "9.mp4").write_bytes(b"not a video")
    (folder / "poster.jpg").touch()
    for number in range(4):  # What is done is not read again.
        _spoil_unnoticed(folder / f"{number}.mp4")
    assert _extract(*arguments) == 1
    said = capsys.readouterr()
    assert f"no embedding: {folder}/9.mp4: unreadable" in said.err
    assert "extract: 5/5 videos" in said.err
    assert said.out.splitlines()[1:] == [
        f"Embeddings: {output} (4 rows of 3 numbers; 1 video without, 0 read in part; 1 other file "
        "passed over)"
    ]
    assert tables.read(str(output)).paths == [str(folder / f"{number}.mp4") for number in range(4)]
    assert not journal.exists()


def test_an_interruption_waits_neither_for_a_video_nor_for_its_windows(tmp_path, clip):
    hangs, output = tmp_path / "hangs.mp4", tmp_path / "x.npz"
    os.mkfifo(hangs)
    model, journal = stand_in.write(tmp_path / "model"), tmp_path / "x.npz.journal"
    arguments = f"--saved_model={model}", f"--output={output}", "--hop=1", str(clip), str(hangs)
    process = _start_and_wait(arguments, journal, num_done=1)
    process.send_signal(signal.SIGINT)
    start = time.monotonic()
    _, said = process.communicate(timeout=60)
    assert time.monotonic() - start < 5  # Less than one second by itself.
    assert process.returncode == 130
    assert said.endswith(
        "Interrupted; what is done is kept, and the same command goes on from there.\n"
    )
    assert journal.exists()
    assert not output.exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--server=nowhere:1"], "--server=nowhere:1 is no address"),
        (["--server=grpc://h:1/path"], "is no address"),
        (["--server=grpc://h:1", "--saved_model=x"], "one of --saved_model=DIR and --server="),
        (["--saved_model=x", "--hop=0.5m"], "--hop=0.5m: '0.5m' is no length"),
        (["--saved_model=x", "--hop=0"], "--hop=0: 0 must be more than 0."),
        (["--saved_model=x", "--hop=2.5"], "--hop=2.5: 2.5 must be a whole number of frames; seco"),
        (["--saved_model=x", "--hop=4", "--num_clips=10"], "--hop makes a row of each window"),
        (["--saved_model=x", "--num_clips=2", "--window=4s"], "--window makes a row of each"),
        (["--server=grpc://127.0.0.1:9", "--patience=0"], "No answer for 0 s: UNAVAILABLE"),
        (["--server=http://127.0.0.1:9", "--patience=0"], "No answer for 0 s: NewConnectionError"),
        (["--saved_model=x"], "'x' holds no SavedModel of this package"),
    ],
)
def test_what_was_given_wrong_is_said(capsys, clip, tmp_path, wrong, said):
    code = _extract(f"--output={tmp_path}/x.npz", f"--videos={clip}", *wrong)
    assert code == (75 if "No answer" in said else 2)
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


@pytest.mark.parametrize("wrong", ["--num_clips=0", "--temporal_stride=-1", "--patience=-1"])
def test_numbers_that_are_too_small_are_refused(wrong):
    with pytest.raises(flags.IllegalFlagValueError, match=wrong):
        _extract(wrong)


def test_interruption_is_no_fault(clip, tmp_path, capsys):
    model, output = tmp_path / "model", tmp_path / "embeddings.npz"
    pipe = model / clip_format.SERVED_FILE
    pipe.parent.mkdir(parents=True)
    (model / "saved_model.pb").write_bytes(b"")
    os.mkfifo(pipe)
    ended = threading.Event()

    def interrupt():
        with open(pipe, "wb"):  # Waits until the command reads its first file.
            # Python swallows one that comes while it collects garbage; a person would try again.
            while not ended.is_set():
                os.kill(os.getpid(), signal.SIGINT)
                ended.wait(5)

    threading.Thread(target=interrupt, daemon=True).start()
    try:
        code = _extract(f"--saved_model={model}", f"--videos={clip}", f"--output={output}")
    finally:
        ended.set()
    assert code == 130
    assert capsys.readouterr().err == "Interrupted; nothing was written.\n"
    assert set(tmp_path.iterdir()) == {model, clip}
