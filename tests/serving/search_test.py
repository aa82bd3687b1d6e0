# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The command: what looks alike comes first, on a page that shows it and escapes every name."""

import re

import numpy as np
import pytest
import tensorflow as tf
from absl import flags

from official_cvrl.serving import extraction, local, nearest, rows, search, search_page, tables
from tests.e2e import conftest as videos
from tests.report import browsers
from tests.serving import stand_in

_EVIL = "<img src=x onerror=alert(1)>&amp;$title.mp4"


@pytest.fixture(name="index")
def _index(tmp_path):
    """Two videos of one seed look alike; the third's file is gone."""
    found = []
    for name, seed, embedding in (("a.mp4", 0, [1, 0]), (_EVIL, 0, [1, 0.1]), ("c.mp4", 1, [0, 1])):
        videos.write_video(tmp_path / name, direction="left", seed=seed, size=20)
        times = np.array([0]), np.array([1_200_000])
        found.append(rows.Rows(str(tmp_path / name), *times, np.array([embedding], np.float32)))
    (tmp_path / "c.mp4").unlink()
    output = str(tmp_path / "x.parquet")
    tables.write(output, found)
    return output


def _search(*arguments):
    given = flags.FlagValues()
    search.define_flags(given)
    given(["search", *map(str, arguments)])
    return search.run(given)


def _arguments(index, tmp_path, query="a.mp4"):
    return f"--index={index}", f"--query={tmp_path / query}", f"--output={tmp_path}/page.html"


@pytest.mark.parametrize("large", [10, 0])
def test_what_looks_alike_comes_first_and_not_the_video_itself(
    index, tmp_path, capsys, monkeypatch, large
):
    monkeypatch.setattr(nearest, "LARGE", large)
    assert _search(*_arguments(index, tmp_path)) == 0
    said = capsys.readouterr().out
    lines = [line for line in said.splitlines() if line[:1] == "0"]
    assert [line.split("  ")[1] for line in lines] == [
        str(tmp_path / name) for name in (_EVIL, "c.mp4")
    ]
    assert f"Asked for: {tmp_path}/a.mp4, 0.0 to 1.2 s\n" in said
    assert lines[0].startswith("0.995")
    assert lines[0].endswith("  0.0 to 1.2 s")
    assert (tmp_path / "x.parquet.faiss").exists() == (large == 0)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<img src=x" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;&amp;amp;$title" in text.replace("<wbr>", "")
    assert text.count("data:image/jpeg") == 2
    assert "no picture: no such file" in text


@pytest.mark.parametrize("large", [100, 0])
def test_of_windows_the_nearest_of_each_video(tmp_path, monkeypatch, large):
    monkeypatch.setattr(nearest, "LARGE", large)
    start = np.arange(4) * 1_000_000
    windows = {
        "query": [[1, 0], [1, 0], [1, 1], [1, -1]],
        "near": [[1, 0.3], [1, 0.2], [1, 0.1], [1, 0.2]],
        "far": [[0, 1], [1, 3], [0, 1], [0, 1]],
    }
    found = [
        rows.Rows(f"{tmp_path}/{name}", start, start + 1_500_000, np.array(embeddings, np.float32))
        for name, embeddings in windows.items()
    ]
    tables.write(f"{tmp_path}/x.npz", found)
    said = search.search(f"{tmp_path}/x.npz", f"{tmp_path}/query", None, count=2)
    assert said.asked == "0.0 to 4.5 s, the mean of its 4 rows"
    assert [(match.path, match.start_us) for match in said.matches] == [
        (f"{tmp_path}/near", 2_000_000),
        (f"{tmp_path}/far", 1_000_000),
    ]


def test_what_is_no_video_is_not_answered_with_a_model(index, tmp_path, capsys):
    (tmp_path / "notes.mp4").write_text("no video")
    assert _search(*_arguments(index, tmp_path, query="notes.mp4")) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: --query={tmp_path}/notes.mp4 is no video that can be read: ")
    assert "--saved_model" not in said


def test_a_video_of_a_frame_a_second_is_one(index, tmp_path, capsys):
    videos.write_video(tmp_path / "slow.mp4", direction="left", seed=0, num_frames=3, rate=1)
    assert _search(*_arguments(index, tmp_path, query="slow.mp4")) == 2
    assert "slow.mp4' has no row in " in capsys.readouterr().err


def test_from_another_folder_a_videos_own_row_and_pictures_are_found(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.mp4", "b.mp4"):
        videos.write_video(tmp_path / name, direction="left", seed=0, size=20)
    model = stand_in.write(tmp_path / "model")
    extraction.extract(local.Local(model), ["a.mp4", "b.mp4"], "x.npz")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    given = ("--index=../x.npz", "--query=../a.mp4", "--output=page.html")
    assert _search(*given) == 0
    assert capsys.readouterr().out.split("  ")[1] == f"{tmp_path}/b.mp4"
    assert (tmp_path / "elsewhere" / "page.html").read_text().count("data:image/jpeg") == 2
    assert _search(*given, "--folder=.") == 2
    assert "--folder=DIR, where the table's relative paths start" in capsys.readouterr().err


def test_a_query_by_another_model_than_the_tables_is_refused(tmp_path, capsys):
    videos.write_video(tmp_path / "a.mp4", direction="left", seed=0, size=20)
    model, other = (stand_in.write(tmp_path / name) for name in ("model", "other"))
    extraction.extract(local.Local(model), [str(tmp_path / "a.mp4")], str(tmp_path / "x.npz"))
    arguments = _arguments(tmp_path / "x.npz", tmp_path)
    assert _search(*arguments, f"--saved_model={model}") == 0
    with open(f"{other}/1/saved_model.pb", "ab") as file:
        file.write(tf.compat.v1.GraphDef().SerializeToString() + b"\x08\x01")
    assert _search(*arguments, f"--saved_model={other}") == 2
    assert "x.npz was made with another model (sha256 " in capsys.readouterr().err


@pytest.mark.parametrize("option", ["index", "query", "output"])
def test_what_is_elsewhere_is_refused_alike(index, tmp_path, capsys, option):
    assert _search(*_arguments(index, tmp_path), f"--{option}=s3://b/x.npz") == 2
    assert f"--{option}=s3://b/x.npz must be on a local disk" in capsys.readouterr().err


@pytest.mark.parametrize("opener", browsers.openers().values(), ids=browsers.openers())
def test_the_page_needs_no_other_file_and_runs_no_name(index, tmp_path, opener):
    assert _search(*_arguments(index, tmp_path)) == 0
    (tmp_path / "browser").mkdir()
    seen = opener(tmp_path / "page.html", tmp_path / "browser")
    assert (seen.pictures, seen.requests, seen.console) == ([True, True], [], [])
    assert browsers.squeezed(_EVIL) in seen.text
    assert seen.title == f"Videos like {tmp_path.name}/a.mp4 · CVRL"


def test_videos_of_one_name_are_told_apart_by_their_folders():
    matches = [search_page.Match(f"/gone/{name}/1.mp4", 0, 1, 0.5) for name in ("dog", "cat")]
    text = search_page.render("1.mp4", matches, asked="", caption="").replace("<wbr>", "")
    assert re.findall(r"<figcaption>([^<]*)", text) == ["1.mp4", "dog/1.mp4", "cat/1.mp4"]
    assert re.findall(r'title="([^"]*)', text) == ["1.mp4", "/gone/dog/1.mp4", "/gone/cat/1.mp4"]


def test_a_new_video_is_embedded_by_the_model(tmp_path, capsys):
    for seed in range(3):
        videos.write_video(tmp_path / f"{seed}.mp4", direction="left", seed=seed, size=20)
    model = stand_in.write(tmp_path / "model")
    found = [
        rows.Rows("1", np.array([0]), np.array([1]), np.ones([1, 3], np.float32)),
    ]
    tables.write(str(tmp_path / "x.npz"), found)
    arguments = _arguments(tmp_path / "x.npz", tmp_path, query="0.mp4")
    assert _search(*arguments) == 2
    assert "has no row in" in capsys.readouterr().err
    assert _search(*arguments, f"--saved_model={model}") == 0
    said = capsys.readouterr()
    asked, nearest_one = said.out.splitlines()[:2]
    assert asked == f"Asked for: {tmp_path}/0.mp4, the whole video"
    assert nearest_one.startswith("0.99")  # Noise is grey on the whole.
    assert not said.err
    videos.write_video(tmp_path / "half.mkv", direction="left", seed=0, size=20, num_frames=40)
    data = (tmp_path / "half.mkv").read_bytes()
    (tmp_path / "half.mkv").write_bytes(data[: len(data) // 2])
    arguments = _arguments(tmp_path / "x.npz", tmp_path, query="half.mkv")
    assert _search(*arguments, f"--saved_model={model}") == 0
    assert f"read in part: {tmp_path}/half.mkv: the first 1.5" in capsys.readouterr().err


def test_a_stride_that_goes_backwards_is_refused():
    with pytest.raises(flags.IllegalFlagValueError, match="--temporal_stride=-1"):
        _search("--temporal_stride=-1")


def test_a_table_of_another_model_is_refused(index, tmp_path, capsys):
    model = stand_in.write(tmp_path / "model")
    assert _search(*_arguments(index, tmp_path), f"--saved_model={model}") == 2
    assert "have 3 numbers, those of" in capsys.readouterr().err
