# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The command on a run and on checkpoints: numbers, kept embeddings, refusals."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from absl import flags

from official_cvrl.probe import __main__ as probe
from tests.report import conftest as runs


@pytest.fixture(scope="module", name="run")
def _run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("probe")
    data_dir = runs.write_records(folder / "records", train=8, test=4)
    runs.write_checkpoint(runs.write_run(folder / "run", data_dir=data_dir))
    return folder / "run"


def _command(*arguments):
    given = flags.FlagValues()
    probe.define_flags(given)
    given(["probe", "--num_clips=2", *arguments])
    return probe.run(given)


def _embeddings(folder):
    """By split, what the folder keeps."""
    found = {}
    for path in sorted(folder.glob("embeddings-*.npz")):
        with np.load(path) as file:
            found[path.name.split("-")[1]] = {name: file[name] for name in file.files}
    return found


def test_a_run_by_default_into_its_folder_and_again_from_what_is_kept(run, capsys):
    assert _command(f"--model_dir={run}") == 0
    said = capsys.readouterr()
    assert "embed train: 8/8 videos" in said.err
    results = json.loads((run / "probe" / "results.json").read_text())
    assert results["settings"]["model"] == str(run / "ckpt-30")
    # Test video n looks like training video n.
    assert results["measures"]["retrieval_at_1"] == 1.0
    row = "| records | 100.0% |"
    assert row in said.out
    assert row in (run / "probe" / "results.md").read_text()
    kept = _embeddings(run / "probe")
    assert kept["test"]["example_ids"].tolist() == [f"test/{n}.mp4" for n in range(4)]
    np.testing.assert_allclose(kept["test"]["embeddings"], kept["train"]["embeddings"][:4])
    (run / "probe" / "results.json").unlink()
    assert _command(f"--model_dir={run / 'ckpt-30'}") == 0
    said = capsys.readouterr()
    assert "embed train" not in said.err
    assert json.loads((run / "probe" / "results.json").read_text()) == results


def test_other_weights_and_the_mean_over_several_data_sets(run, tmp_path, capsys):
    tf.keras.utils.set_random_seed(7)
    other = runs.write_run(tmp_path / "other", data_dir=run.parent / "records")
    runs.write_checkpoint(other, step=7)
    second, output = tmp_path / "second", tmp_path / "out"
    runs.write_records(second, train=4, test=3)
    done = _command(
        *(f"--model_dir={run}", f"--checkpoint={other}", f"--output={output}"),
        *(f"--data_dir={run.parent / 'records'}", f"--data_dir={second}", "--measures=retrieval"),
    )
    assert done == 0
    results = json.loads((output / "results.json").read_text())
    assert results["settings"]["model"].endswith("other/ckpt-7")
    per_data = [part["measures"]["retrieval_at_5"] for part in results["data"].values()]
    assert len(per_data) == 2
    assert results["measures"]["retrieval_at_5"] == pytest.approx(np.mean(per_data))
    assert "| mean |" in capsys.readouterr().out
    assert len(list(output.glob("*.npz"))) == 4
    assert results["settings"]["asked"]["kinds"] == ["retrieval"]
    again = _command(
        *(f"--model_dir={run}", f"--checkpoint={other}", f"--output={output}"),
        *(f"--data_dir={second}", "--measures=retrieval"),
    )
    assert again == 0
    said = capsys.readouterr().out
    assert f"Replaces the results of {run.parent / 'records'} in {output}; give another" in said
    assert json.loads((output / "results.json").read_text())["data"].keys() == {str(second)}


_SAVED = ["--saved_model=x", "--output={tmp}", "--data_dir={records}"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give one of --model_dir=RUN and --saved_model=DIR"),
        (["--model_dir={run}", "--saved_model=x"], "give one of"),
        (["--model_dir={run}", "--checkpoint={run}"], "give --output=DIR with --checkpoint"),
        (["--saved_model=x", "--checkpoint=y"], "--checkpoint goes with --model_dir"),
        (["--saved_model=x"], "give --output=DIR"),
        ([*_SAVED, "--num_crops=3"], "--num_crops=3 is for --model_dir"),
        (_SAVED, "holds no SavedModel"),
        (["--model_dir={run}", "--output={run}"], "is a run's folder"),
        (["--model_dir={run}", "--output=gs://a/b"], "a local folder"),
        (["--model_dir={run}", "--measures=knn,svm"], "--measures=knn,svm must be some of"),
        (["--model_dir={run}", "--l2=1,x"], "--l2=1,x must be positive numbers"),
        (["--model_dir={run}", "--l2=0"], "--l2=0 must be positive numbers"),
        (["--model_dir={run}", "--test_split=train"], "each video would find itself"),
        (["--model_dir={run}", "--test_split=val"], "no shards of split 'val'"),
        (["--model_dir={tmp}"], "holds no run"),
        (["--model_dir={run}/ckpt-31"], "ckpt-31 holds no run"),
        (["--model_dir={run}", "--data_dir={plain}"], "has no labels.txt"),
        (["--model_dir={run}", "--output={file}/x"], "cannot be made"),
        (
            ["--model_dir={run}", "--data_dir=gs://a/b", "--data_dir=gs://a/b/"],
            "--data_dir=gs://a/b is given twice",
        ),
    ],
)
def test_mistakes_are_told_before_any_work(run, tmp_path, capsys, arguments, words):
    plain, file = tmp_path / "plain", tmp_path / "file"
    shutil.copytree(run.parent / "records", plain)
    (plain / "labels.txt").unlink()
    file.write_text("")
    places = {"run": run, "tmp": tmp_path, "plain": plain, "file": file}
    places["records"] = run.parent / "records"
    assert _command(*(argument.format(**places) for argument in arguments)) == 2
    said = capsys.readouterr()
    assert words in said.err
    assert "embed train" not in said.err
