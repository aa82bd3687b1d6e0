# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of tfrecords_tools.convert as a command: what it says, and being stopped at any moment."""

import errno
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time

import pytest

from official_cvrl import errors, manifest
from tests.tfrecords_tools import folders
from tfrecords_tools import convert


class TestCommand:
    def test_exit_codes_and_streams(self, class_folders, tmp_path, capsys):
        arguments = [f"--videos={class_folders}", f"--output={tmp_path / 'out'}", "--quiet"]
        assert convert.main(["--dataset=folder", *arguments]) == 0
        out, err = capsys.readouterr()
        assert "9 videos" in out
        assert err == ""
        assert convert.main(["--dataset=folder", *arguments, "--quality=500"]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err == "error: --quality=500 is out of range.\n"

    def test_full_disk(self, class_folders, tmp_path, capsys):
        (tmp_path / ".train-00001-of-00003.partial").symlink_to("/dev/full")
        arguments = [f"--videos={class_folders}", f"--output={tmp_path}", "--workers=1"]
        assert convert.main(["--dataset=folder", *arguments, "--quiet"]) == 2
        assert "No space left" in capsys.readouterr().err
        assert not list(tmp_path.glob("*.partial"))
        assert convert.main(["--dataset=folder", *arguments]) == 0
        out, err = capsys.readouterr()
        assert "1 kept from before" in out
        assert err.startswith("convert: 11/11 videos, ")  # Also where there is no terminal.

    @pytest.mark.parametrize(
        "name",
        [
            ".conversion/.train.settings.json~0.partial",
            ".train-videos.csv~0.partial",
            ".labels.txt~0.partial",
            ".manifest.json~0.partial",
        ],
    )
    def test_full_disk_at_any_file(
        self, class_folders, converted, tmp_path, capsys, name, monkeypatch
    ):
        monkeypatch.setattr(secrets, "token_hex", lambda num_bytes: "0")
        (tmp_path / ".conversion").mkdir()
        (tmp_path / name).symlink_to("/dev/full")
        arguments = [f"--videos={class_folders}", f"--output={tmp_path}", "--quiet", "--workers=1"]
        assert convert.main(["--dataset=folder", *arguments]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert str(tmp_path) in err
        assert "No space left" in err
        (tmp_path / name).unlink(missing_ok=True)
        assert convert.main(["--dataset=folder", *arguments]) == 0
        assert folders.content(tmp_path) == folders.content(converted[0])

    def test_a_folder_that_cannot_be_written(self, class_folders, capsys):
        # Not even root makes files in there.
        arguments = [f"--videos={class_folders}", "--output=/sys/kernel", "--quiet"]
        assert convert.main(["--dataset=folder", *arguments]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert err.startswith("error: --output=/sys/kernel: cannot be written: ")

    def test_what_follows_two_dashes_is_for_beam(self, capsys):
        arguments = ["--dataset=folder", "--videos=a", "--output=b", "--", "--runner=X", "--y=1"]
        assert convert.main(arguments) == 2
        assert "--runner=X --y=1: what stands behind --" in capsys.readouterr().err

    def test_unknown_options_are_refused(self, capsys):
        with pytest.raises(SystemExit) as stopped:
            convert.main(["--dataset=folder", "--videos=a", "--output=b", "--shrt_side=3"])
        assert stopped.value.code == 2
        assert "Did you mean '--short_side'" in capsys.readouterr().err


class TestStopped:
    """Stops the command for certain in the middle: it waits for a named pipe."""

    @pytest.fixture
    def videos(self, tmp_path, class_folders):
        videos = shutil.copytree(class_folders, tmp_path / "videos")
        os.rename(videos / "run" / "2.mp4", tmp_path / "2.mp4")
        os.mkfifo(videos / "run" / "2.mp4")
        return videos

    def _stop(self, videos, output, how):
        command = [sys.executable, "-m", "tfrecords_tools.convert", "--dataset=folder"]
        command += [f"--videos={videos}", f"--output={output}", "--workers=2"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        # Held open until the end, or the reader would see the end of the file.
        writer = self._wait_for_reader(videos / "run" / "2.mp4", process)
        process.send_signal(how)
        _, told = process.communicate(timeout=60)
        os.close(writer)
        return process.returncode, told

    def _wait_for_reader(self, pipe, process):
        while True:
            assert process.poll() is None
            try:
                return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as error:
                assert error.errno == errno.ENXIO
                time.sleep(0.05)

    @pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
    def test_the_same_command_goes_on_to_the_same_bytes(
        self, videos, tmp_path, class_folders, converted, how
    ):
        output = tmp_path / "out"
        code, told = self._stop(videos, output, how)
        if how == signal.SIGINT:
            assert code == 130
            *progress, last = told.splitlines()  # Told if a video was done.
            assert last == "stopped; the same command goes on where it was."
            assert all(line.startswith("convert: ") for line in progress)
            assert not list(output.glob(".*.partial"))
        for name in folders.shards(output):
            assert (output / name).read_bytes() == (converted[0] / name).read_bytes()
        assert not (output / "manifest.json").exists()
        with pytest.raises(errors.UserError):
            manifest.find_shards(output, "train")
        os.remove(videos / "run" / "2.mp4")
        os.rename(tmp_path / "2.mp4", videos / "run" / "2.mp4")
        folders.convert(videos, output)
        assert folders.content(output) == folders.content(converted[0])
        assert not list(output.glob(".*"))

    def test_killed_at_one_moment_after_the_other(self, tmp_path, class_folders, converted):
        """Each run goes on where the one before was killed: once for each kind of file it makes."""
        output = tmp_path / "out"
        command = [sys.executable, "-m", "tfrecords_tools.convert", "--dataset=folder"]
        command += [f"--videos={class_folders}", f"--output={output}", "--workers=1"]
        killed = 0
        for moment in (".train-0*.partial", ".conversion/train-0*", "train-videos.csv", "labels.*"):
            with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
                while not any(output.glob(moment)) and process.poll() is None:
                    time.sleep(0.0005)
                process.kill()
            killed += process.returncode == -signal.SIGKILL
        assert killed >= 3  # The last may be too quick to be caught.
        folders.convert(class_folders, output)
        assert folders.content(output) == folders.content(converted[0])
        assert not list(output.glob(".*"))
