# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The whole page: opened by a parser and by a browser, hostile names, bad input, the command."""

import os
import pathlib
import subprocess
import sys

import pytest
from absl import flags

from official_cvrl import errors, manifest
from official_cvrl.report import __main__ as command
from official_cvrl.report import page
from tests import full_disk
from tests.report import browsers, conftest

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_SCRIPT = "<script>document.title='taken'</script>"
_IMAGE = "'\"><img src=http://127.0.0.1:9/x onerror=document.title='taken'>"
_OPENERS = browsers.openers()
_opened = pytest.mark.parametrize("opener", _OPENERS.values(), ids=_OPENERS.keys())


def _write(run, folder, **more):
    path = folder / "report.html"
    page.write(str(run), str(path), **more)
    return path


def _assert_reads(seen, *texts):
    for text in texts:
        assert browsers.squeezed(text) in seen.text, text


def _assert_sound(seen):
    assert seen.requests == []
    assert seen.console == []
    assert all(seen.pictures)
    # Only browsers lay a page out; the parser has None of these.
    assert not seen.misaligned
    assert not seen.overflow


@_opened
def test_everything_is_there_and_nothing_is_fetched(demo, tmp_path, opener):
    seen = opener(_write(demo / "pretrain", tmp_path), tmp_path)
    _assert_sound(seen)
    assert seen.title == "pretrain · CVRL"
    _assert_reads(
        seen,
        "CVRL pre-training: R3D-18 ×0.0625 on records",
        "linear_eval_random Linear evaluation of random weights 62.5% 100.0% –",
        "Chance 50.0%",
        "Contrastive loss step 30 2",
        "view 1 view 2",
        "✓ left 1.000",
        "the single nearest has the right class for 100.0%",
        "6 train, 2 test, 2 classes",
        "experiment.run.global_batch_size = %BATCH",
    )
    assert len(seen.pictures) == 2 * 2 + 2 * (1 + 4)
    assert seen.readouts is None or len(seen.readouts) == 5
    for readout in seen.readouts or ():
        assert [text.split()[:2] for text in readout[1:3]] == [["step", "10"], ["step", "20"]]
        assert readout[0] == readout[3] != readout[1]


@_opened
def test_names_are_text_whatever_they_hold(tmp_path, opener):
    data_dir = tmp_path / f"data {_IMAGE.replace('/', '')}"
    conftest.write_split(data_dir, "train", [(_IMAGE, 0, 1), ("b", 1, 2)])
    conftest.write_split(data_dir, "test", [(f"q {_IMAGE}", 0, 1)])
    manifest.write_labels(data_dir, [_SCRIPT, _IMAGE])
    run = tmp_path / f"run {_SCRIPT.replace('/', '')}"
    conftest.write_run(
        run,
        data_dir=data_dir,
        config=f"{conftest.PRETRAINING}# {_SCRIPT} {_IMAGE} $title",
        results={_SCRIPT: 0.5, "top1": 0.5},
    )
    conftest.write_checkpoint(run)
    conftest.write_events(run / "train", {"_tag": {1: 1.0, 2: 2.0}, _IMAGE: {1: 1.0, 2: 2.0}})
    seen = opener(_write(run, tmp_path), tmp_path)
    _assert_sound(seen)
    assert seen.title == f"{run.name} · CVRL"
    assert len(seen.pictures) == 3
    _assert_reads(
        seen,
        f"✓ {_SCRIPT}",
        f"✗ {_IMAGE}",
        str(data_dir),
        f"# {_SCRIPT} {_IMAGE} $title",
        f"Run Top-1 {_SCRIPT}",
    )


@pytest.fixture(scope="module", name="detection_page")
def _detection_page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("detection")
    run = conftest.write_detection(folder, label_names=(_SCRIPT, _IMAGE), example_id=_IMAGE)
    return _write(run, folder)


@_opened
def test_a_detection_run_shows_its_key_frames_whatever_names_hold(detection_page, tmp_path, opener):
    seen = opener(detection_page, tmp_path)
    _assert_sound(seen)
    assert len(seen.pictures) == 2 + 2 * (1 + 3)
    _assert_reads(
        seen,
        "Action detection of random weights",
        "Frame mAP 87.5%",
        f"{_IMAGE} said: {_IMAGE}",
        f"{_IMAGE}, epoch 2",
    )
    assert browsers.squeezed("Nearest neighbours") not in seen.text


def test_each_section_of_key_frames_is_there_or_says_why(tmp_path):
    config = conftest.DETECTION.replace("@augment.Augmentation()", "@mine.gentle()")
    run = conftest.write_detection(tmp_path, config=config)
    text = _write(run, tmp_path).read_text(encoding="utf-8")
    assert text.count("<h2>Key frames</h2>") == 1
    assert text.count('<h2>Boxes in training</h2><p class="missing">Not on this page') == 1
    for path in pathlib.Path(run).glob("ckpt-*.index"):
        path.unlink()
    (pathlib.Path(run) / "checkpoint").unlink()
    (pathlib.Path(run) / "config.gin").write_text(conftest.DETECTION)
    text = _write(run, tmp_path).read_text(encoding="utf-8")
    assert text.count('<h2>Key frames</h2><p class="missing">Not on this page') == 1
    assert text.count("<h2>Boxes in training</h2><p>") == 1


@_opened
def test_a_page_without_neighbours_says_why(tmp_path, opener):
    run = conftest.write_run(tmp_path / "run", data_dir=tmp_path / "gone")
    conftest.write_checkpoint(run)
    conftest.write_training(run)
    seen = opener(_write(run, tmp_path), tmp_path)
    _assert_sound(seen)
    _assert_reads(seen, f"Not on this page: {tmp_path / 'gone'}: no such directory")
    assert len(seen.pictures) == 4
    _assert_reads(opener(_write(run, tmp_path, max_train_videos=0), tmp_path), "were left out")


def test_the_page_forbids_all_but_itself(demo, tmp_path):
    text = _write(demo / "linear_eval", tmp_path, max_train_videos=0).read_text(encoding="utf-8")
    assert text.count("<script") == 1
    assert '<link rel="icon" href="data:,">' in text, "browsers would ask for /favicon.ico"
    assert (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-" in text
    )


@pytest.mark.parametrize("output", [".", "nothing/report.html", "file/report.html"])
def test_an_output_that_cannot_be_written(demo, tmp_path, output, capsys):
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.UserError, match=r"cannot be written: .*--output=FILE"):
        page.write(str(demo / "pretrain"), str(tmp_path / output))
    assert os.listdir(tmp_path) == ["file"]
    assert "embed" not in capsys.readouterr().err, "it was found out after the work"


def test_no_run_leaves_the_page_before_as_it_was(tmp_path, capsys):
    path = tmp_path / "report.html"
    path.write_text("before")
    with pytest.raises(errors.UserError, match="holds no run"):
        page.write(str(tmp_path), str(path))
    assert path.read_text() == "before"
    assert "Reading" not in capsys.readouterr().out


def test_a_page_that_breaks_off_is_not_there(demo, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("before")
    refused = pytest.raises(errors.UserError, match="cannot be written: File too large")
    with full_disk.full_after(4000), refused:
        page.write(str(demo / "linear_eval"), str(path), max_train_videos=0)
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["report.html"]


def test_the_command(demo, tmp_path):
    path = tmp_path / "report.html"
    arguments = (f"--model_dir={demo / 'pretrain'}", f"--output={path}")
    done = subprocess.run(
        [sys.executable, "-m", "official_cvrl.report", *arguments],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"Report: {path}\n")
    assert "embed train: 6 videos" in done.stderr
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give --model_dir=RUN and --output=FILE.html"),
        (["--model_dir=nowhere", "--output=x.html"], "nowhere holds no run"),
    ],
)
def test_the_command_refuses(capsys, arguments, words):
    given = flags.FlagValues()
    command.define_flags(given)
    given(["report", *arguments])
    assert command.run(given) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and words in said
