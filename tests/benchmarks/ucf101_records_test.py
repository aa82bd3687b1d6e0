# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A part of UCF-101 is converted by the official lists, cut down to the videos that are there."""

import pathlib

from benchmarks import ucf101_records

_OFFICIAL = {
    "classInd.txt": ["1 Archery", "2 Biking", "3 Surfing"],
    "trainlist01.txt": [
        "Archery/v_Archery_g08_c01.avi 1",
        "Archery/v_Archery_g08_c02.avi 1",
        "Biking/v_Biking_g08_c01.avi 2",
        "Surfing/v_Surfing_g09_c01.avi 3",
    ],
    "testlist01.txt": ["Biking/v_Biking_g01_c01.avi", "Surfing/v_Surfing_g01_c01.avi"],
}
_THERE = (
    "Archery/v_Archery_g08_c02.avi",
    "Surfing/v_Surfing_g09_c01.avi",
    "Surfing/v_Surfing_g01_c01.avi",
)


def test_lists_of_what_is_there(tmp_path):
    for name, lines in _OFFICIAL.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    videos = tmp_path / "videos"
    for name in _THERE:
        (videos / name).parent.mkdir(parents=True, exist_ok=True)
        (videos / name).touch()
    commands = []
    records = ucf101_records.make(
        str(videos), str(tmp_path), str(tmp_path / "out"), run=lambda *given: commands.append(given)
    )

    (command,) = commands
    assert {f"--videos={videos}", "--fold=1", f"--output={records}"} <= set(command)
    (lists,) = (flag.partition("=")[2] for flag in command if flag.startswith("--annotations"))
    assert _lines(lists, "classInd.txt") == ["1 Archery", "2 Surfing"]
    assert [line.split()[0] for line in _lines(lists, "trainlist01.txt")] == [*_THERE[:2]]
    assert _lines(lists, "testlist01.txt") == [_THERE[2]]


def _lines(folder, name):
    return pathlib.Path(folder, name).read_text(encoding="utf-8").splitlines()
