# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Detection in films: what evaluation says of their records, drawn where it belongs."""

import csv
import os
import resource

import av
import numpy as np
import pytest
from absl import flags

from official_cvrl import manifest
from official_cvrl.data import synthetic
from official_cvrl.serving import detect
from tests.tasks import tiny, tiny_detector
from tfrecords_tools import plan, shards, video
from tfrecords_tools.datasets import boxes_file

_RATE, _NUM_FRAMES, _HEIGHT, _WIDTH = 8, 24, 64, 80
_ROWS = (
    ("film", 0.5, 0.25, 0.25, 0.75, 0.75, "run", "train"),
    ("film", 1.0, 0.5, 0.25, 0.75, 0.75, "run|jump", "test"),
    ("film", 1.0, 0.0, 0.0, 0.25, 0.5, "sit", "test"),
    ("film", 2.875, 0.25, 0.5, 1.0, 1.0, "jump", "test"),
)


@pytest.fixture(scope="module", name="films")
def _films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    generator = np.random.default_rng(0)
    # Coarse, so that it survives H.264, and red, as no box is.
    noise = generator.integers(0, 100, [_NUM_FRAMES, _HEIGHT // 16, _WIDTH // 16], np.uint8)
    pictures = np.zeros([_NUM_FRAMES, _HEIGHT, _WIDTH, 3], np.uint8)
    pictures[..., 0] = 100 + np.kron(noise, np.ones([1, 16, 16], np.uint8))
    synthetic.write_video(str(folder / "film.mp4"), pictures, _RATE)
    with open(folder / "boxes.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [("video", "second", "x1", "y1", "x2", "y2", "label", "split"), *_ROWS]
        )
    return folder


def _evaluate(folder, films, *, clip_seconds=None, **how):
    """Leaves a run on records of the film, and what its evaluation said of their test split."""
    found = boxes_file.read(films / "boxes.csv", videos=films, clip_seconds=clip_seconds)
    (folder / "records").mkdir()
    for split, part in found.splits.items():
        planned = plan.plan_split(
            split,
            part,
            output=folder / "records",
            label_names=found.label_names,
            dataset_name="boxes",
            settings=video.Settings(**how),
            num_shards=1,
            choices=found.settings,
        )
        (spec,) = planned.specs
        assert shards.write_shard(spec).num_examples == len(part.clips)
        entry = {"settings": dict(planned.settings)}
        manifest.write_split(folder / "records", split=split, entry=entry)
    manifest.write_labels(folder / "records", found.label_names)
    source = tiny_detector.make_feed(folder / "records", tiny.one_device())
    task = tiny_detector.make_task(source, predictions=str(folder / "said.csv"))
    kernel = task.action_head.output_layer.kernel
    kernel.assign(np.random.default_rng(0).normal(size=kernel.shape))
    task.evaluate()
    tiny_detector.write_run(folder / "run", source, task)
    return folder


@pytest.fixture(scope="module", name="evaluated")
def _evaluated(tmp_path_factory, films):
    return _evaluate(tmp_path_factory.mktemp("evaluated"), films)


def _detect(*arguments):
    """Runs the command in this process, because one of its own takes seconds to start."""
    given = flags.FlagValues()
    detect.define_flags(given)
    return detect.run(given, given(["detect", *map(str, arguments)])[1:])


def _rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    return [row[:7] for row in rows], [float(row[7]) for row in rows]


def _frames(path):
    with av.open(str(path)) as container:
        return {
            round(frame.time, 4): frame.to_ndarray(format="rgb24").astype(int)
            for frame in container.decode(video=0)
        }


def _is_drawn(frame, x, y):
    """Whether a pixel, or one beside it, has a box's colour; H.264 blurs what is thin."""
    row, column = int(y * (_HEIGHT - 1)), int(x * (_WIDTH - 1))
    near = frame[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
    return bool((near[..., 2] > 100).any())


def test_a_film_is_told_as_evaluation_tells_its_records(films, evaluated, tmp_path, capsys):
    said, scores = _said_of_tested(tmp_path, films, evaluated / "run")
    expected, expected_scores = _rows(evaluated / "said.csv")
    assert len(said) == 3 * 3
    assert said == expected
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-5)
    assert np.ptp(scores) > 0.01
    told = capsys.readouterr()
    assert "2 key frames, 24 frames drawn" in told.out
    assert "detect film.mp4: 2/2 key frames" in told.err
    assert "draw film.mp4: 24/24 frames" in told.err


def _said_of_tested(folder, films, run):
    """What the command says of the rows of the test split."""
    with open(films / "boxes.csv", encoding="utf-8") as file:
        lines = file.read().splitlines()
    (folder / "boxes.csv").write_text("\n".join([lines[0], *lines[2:]]) + "\n")
    given = f"--model_dir={run}", f"--boxes={folder / 'boxes.csv'}"
    assert _detect(*given, f"--output={folder / 'out'}", films / "film.mp4") == 0
    return _rows(folder / "out" / "film.csv")


def test_clips_are_cut_as_those_of_the_records(films, evaluated, tmp_path, capsys):
    other = _evaluate(tmp_path, films, fps=3.0, clip_seconds=1.5, short_side=32)
    said, scores = _said_of_tested(tmp_path, films, other / "run")
    expected, expected_scores = _rows(other / "said.csv")
    assert said == expected
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-5)
    assert "is not known" not in capsys.readouterr().err
    by_default = _rows(evaluated / "said.csv")[1]
    assert np.abs(np.subtract(scores, by_default)).max() > 0.01
    (other / "records" / "manifest.json").unlink()
    assert _said_of_tested(tmp_path, films, other / "run")[1] == pytest.approx(by_default, rel=1e-5)
    assert "holds no word of it); here they are cut with the defaults" in capsys.readouterr().err


def test_boxes_are_drawn_near_their_second_and_nowhere_else(films, evaluated, tmp_path):
    run, boxes = f"--model_dir={evaluated / 'run'}", f"--boxes={films / 'boxes.csv'}"
    assert _detect(run, boxes, f"--output={tmp_path}", "--labels_drawn=1", films / "film.mp4") == 0
    original, drawn = _frames(films / "film.mp4"), _frames(tmp_path / "film.mp4")
    assert list(drawn) == list(original)
    edges = {
        0.5: [(0.25, 0.6), (0.75, 0.6), (0.5, 0.75)],
        1.0: [(0.5, 0.6), (0.75, 0.6), (0.6, 0.75), (0.25, 0.3), (0.1, 0.5)],
        2.875: [(0.25, 0.9), (0.9, 0.5)],
    }
    for time, frame in drawn.items():
        nearest = min(edges, key=lambda second: abs(second - time))
        is_near = abs(nearest - time) <= 0.5
        for second, points in edges.items():
            found = [_is_drawn(frame, *point) for point in points]
            assert all(found) if second == nearest and is_near else not all(found), (time, second)
        if not is_near:
            assert np.abs(frame - original[time]).mean() < 4


def test_without_boxes_the_whole_frame_is_one(films, evaluated, tmp_path, capsys):
    run = f"--model_dir={evaluated / 'run'}"
    assert _detect(run, f"--output={tmp_path}", films / "film.mp4") == 0
    said, _ = _rows(tmp_path / "film.csv")
    assert [row[:6] for row in said[::3]] == [
        ["film", second, "0", "0", "1", "1"] for second in ("0000", "0001", "0002")
    ]
    assert "No --boxes: at every second the whole frame" in capsys.readouterr().out


def test_what_cannot_be_used_is_named_and_counted(films, evaluated, tmp_path, capsys):
    (tmp_path / "broken.mp4").write_text("no film")
    (tmp_path / "bare.mp4").write_bytes((films / "film.mp4").read_bytes())
    (tmp_path / "list.csv").write_text("path,note\nbroken.mp4,\n,lost\n")
    rows = ["film,1,0,0,1,1", "film,2,0,0,1.5,1", "film,99,0,0,1,1", "film,98,0,0,0.5,1"]
    rows += ["gone,1,0,0,1,1", "broken,1,0,0,1,1"]
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("\n".join(["video,second,x1,y1,x2,y2", *rows]))
    code = _detect(
        *(f"--model_dir={evaluated / 'run'}", f"--boxes={boxes}", f"--output={tmp_path / 'out'}"),
        *(films / "film.mp4", tmp_path / "list.csv", tmp_path / "bare.mp4"),
    )
    assert code == 1
    assert sorted(os.listdir(tmp_path / "out")) == ["film.csv", "film.mp4"]
    assert len(_rows(tmp_path / "out" / "film.csv")[0]) == 3
    told = capsys.readouterr()
    assert "(1 film, 3 without)" in told.out
    for words in (
        "note: 1 row of ",
        "row 3 (film,2,0,0,1.5,1): the box is outside the frame",
        "note: 1 film of ",
        "  gone, 1 box",
        "note: 2 key seconds of ",
        "at 99 s, 1 box: its key frame, at 99 s of the file, is beyond the end (3 s)",
        "broken.mp4: unreadable: ",
        "bare.mp4: no box in --boxes",
        "list.csv:3: the line has no path",
    ):
        assert words in told.err, words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--output=out"], "give --model_dir=RUN, --output=DIR and films"),
        (["--model_dir=RUN", "--output=out"], "No videos given"),
        (["--model_dir=RUN", "--output=out", "gone.mp4"], "No such video, folder or list"),
        (["--model_dir=RUN", "--output=.", "film.mp4"], "would replace ./film.mp4, which is given"),
        (
            ["--model_dir=RUN", "--output=.", "--boxes=table.csv", "b/table.mkv"],
            "would replace ./table.csv, which is given",
        ),
        (["--model_dir=RUN", "--output=.", "table.csv"], "replace ./table.csv, which is given"),
        (["--model_dir=RUN", "--output=b", "b/other.mkv"], "b/other.mp4, which lies beside b/othe"),
        (["--model_dir=RUN", "--output=out", "film.mp4", "b/film.mkv"], "would both be"),
        (["--model_dir=RUN", "--output=film.mp4/x", "film.mp4"], "cannot be made: "),
        (["--model_dir=RUN", "--output=gs://b/out", "film.mp4"], "b/out must be on a local"),
        (["--model_dir=RUN", "--output=out", "--boxes=s3://b/x.csv", "film.mp4"], "--boxes=s3://b"),
        (
            ["--model_dir=RUN", "--output=film.mp4", "film.mp4"],
            "cannot be made: it is a file. Give",
        ),
        (["--model_dir=b", "--output=out", "film.mp4"], "b holds no run"),
        (["--model_dir=RUN", "--output=out", "--boxes=no.csv", "film.mp4"], "cannot be read"),
    ],
)
def test_bad_arguments(films, evaluated, tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    os.mkdir("b")
    for name in ("film.mp4", "b/film.mkv", "b/table.mkv", "b/other.mkv", "b/other.mp4"):
        (tmp_path / name).write_bytes((films / "film.mp4").read_bytes())
    (tmp_path / "table.csv").write_text("video,second,x1,y1,x2,y2,path\n,,,,,,b/table.mkv\n")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    top = set(os.listdir())
    assert _detect(*(one.replace("RUN", str(evaluated / "run")) for one in arguments)) == 2
    assert words in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert set(os.listdir()) - top <= {"out"}


def test_a_fault_of_ours_is_not_told_as_one_of_the_boxes(films, evaluated, tmp_path, monkeypatch):
    def broken(*unused, **unused_too):
        raise KeyError("ours")

    monkeypatch.setattr(detect.film, "detect", broken)
    run, boxes = f"--model_dir={evaluated / 'run'}", f"--boxes={films / 'boxes.csv'}"
    with pytest.raises(KeyError, match="ours"):
        _detect(run, boxes, f"--output={tmp_path}", films / "film.mp4")


def test_a_film_that_cannot_be_written_whole_is_not_there(films, evaluated, tmp_path, capsys):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))  # As on a full disk.
    try:
        code = _detect(
            *(f"--model_dir={evaluated / 'run'}", f"--output={tmp_path}", films / "film.mp4")
        )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert code == 2
    assert "film.mp4' cannot be written: File too large" in capsys.readouterr().err
    assert os.listdir(tmp_path) == []
