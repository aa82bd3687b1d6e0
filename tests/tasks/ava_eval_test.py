# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The evaluation of official files as a command."""

import json
import subprocess
import sys

import pytest

from official_cvrl import errors
from official_cvrl.tasks import ava_eval

_LABELMAP = 'item { name: "bend" id: 1 }\nitem { name: "run" id: 6 }\nitem { name: "<sit>" id: 9 }'
_TRUTH = "a,0902,0,0,1,1,1,0\na,0902,0,0,1,1,6,0\na,0903,0,0,1,1,6,0\n"
_SAID = "a,0902,0,0,1,1,1,0.5\na,0902,0,0,1,1,6,0.9\na,0903,0,0,0.4,1,6,0.95\na,1,0,0,1,1,1,0.1\n"


@pytest.fixture
def files(tmp_path):
    content = {"groundtruth": _TRUTH, "detections": _SAID, "labelmap": _LABELMAP}
    for name, text in content.items():
        (tmp_path / name).write_text(text)
    return {name: str(tmp_path / name) for name in content}


def test_numbers(files):
    evaluation = ava_eval.evaluate(**files)
    # "run": wrong at 0.95, right at 0.9, of two boxes; "bend": right before it is wrong.
    assert evaluation.results.values[:2].tolist() == [1.0, 0.25]
    assert evaluation.results.mean == 0.625
    assert ["1 detections on key frames without ground truth" in n for n in evaluation.notes] == [
        True
    ]


def test_excluded_key_frames_do_not_count(files, tmp_path):
    (tmp_path / "excluded").write_text("a,903\n")
    evaluation = ava_eval.evaluate(**files, exclusions=str(tmp_path / "excluded"))
    assert evaluation.results.mean == 1.0


def test_nothing_to_find_is_refused(files, tmp_path):
    (tmp_path / "groundtruth").write_text("a,902,0,0,1,1,77,0\n")
    with pytest.raises(errors.UserError, match="none of its 1 rows"):
        ava_eval.evaluate(**files)


def test_what_is_over_the_limit_of_a_key_frame_is_counted(files, tmp_path):
    row = "a,0902,0,0,1,1,6,0.9"
    (tmp_path / "detections").write_text("\n".join([*([row] * 53), "a,0903,0,0,1,1,6,0.9"]))
    evaluation = ava_eval.evaluate(**files)
    assert [n.partition(": ")[2][:40] for n in evaluation.notes] == [
        "3 detections are not among the 50 of hig"
    ]


def test_rows_without_scores_are_told(files, tmp_path):
    (tmp_path / "detections").write_text(_SAID.replace(",0.5", "").replace(",0.9\n", "\n"))
    notes = ava_eval.evaluate(**files).notes
    assert any("2 rows have no score; it is taken to be 1" in note for note in notes)


def test_files_in_each_others_place_are_refused(files):
    swapped = files | {"groundtruth": files["detections"], "detections": files["groundtruth"]}
    with pytest.raises(errors.UserError, match="line 1 .*: the person id is no whole number"):
        ava_eval.evaluate(**swapped)


def test_the_command(files, tmp_path):
    output = tmp_path / "table.json"
    arguments = [f"--{name}={path}" for name, path in files.items()]
    command = [sys.executable, "-m", "official_cvrl.tasks.ava_eval", *arguments]
    done = subprocess.run([*command, f"--output={output}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "mAP@0.5 = 0.6250" in done.stdout
    found = json.loads(output.read_text())
    assert [kind["average_precision"] for kind in found["classes"]] == [1.0, 0.25, None]
    (tmp_path / "detections").write_text("a,1\n")
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert "line 1" in done.stderr and "Traceback" not in done.stderr
