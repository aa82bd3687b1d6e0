# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Data flows one way through the rooms: no upward import, no circle, no gin or flags below."""

import graphlib
import re

import pytest

from tests import imports

# Rooms from the highest to the lowest, as in docs/architecture.md. A room is a file or a folder; it
# imports what stands below it, and itself.
_ROOMS = [
    "train",
    "official_cvrl.demo",
    "official_cvrl.data_service",
    "official_cvrl.sweep",
    "official_cvrl.probe",
    "official_cvrl.serving",
    "official_cvrl.report",
    "official_cvrl.average_splits",
    "official_cvrl.experiment",
    "official_cvrl.embedded",
    "official_cvrl.gin_utils",
    "official_cvrl.gin_errors",
    "official_cvrl.gin_types",
    "official_cvrl.gin_reach",
    "official_cvrl.gin_names",
    "official_cvrl.tasks",
    "official_cvrl.trainer",
    "official_cvrl.run_info",
    "official_cvrl.origin",
    "official_cvrl.predictions",
    "official_cvrl.objectives",
    "official_cvrl.modeling",
    "official_cvrl.data",
    "tfrecords_tools",
    "official_cvrl.manifest",
    "official_cvrl.shard_files",
    "official_cvrl.balance",
    "official_cvrl.records",
    "official_cvrl.regions",
    "official_cvrl.segments",
    "official_cvrl.optimizers",
    "official_cvrl.metrics",
    "official_cvrl.result_names",
    "official_cvrl.ava_files",
    "official_cvrl.detection_metrics",
    "official_cvrl.checkpoints",
    "official_cvrl.weights",
    "official_cvrl.runtime",
    "official_cvrl.workers",
    "official_cvrl.cluster",
    "official_cvrl.progress",
    "official_cvrl.step_profile",
    "official_cvrl.outputs",
    "official_cvrl.filesystems",
    "official_cvrl.locks",
    "official_cvrl.commands",
    "official_cvrl.amounts",
    "official_cvrl.stack",
    "official_cvrl.spelling",
    "official_cvrl.errors",
    "official_cvrl",
]
# The package meets the offline tools in the records, except where videos are its own input.
_MAY_USE_TOOLS = {
    "official_cvrl.embedded",
    "official_cvrl.serving.annotated",
    "official_cvrl.serving.detect",
    "official_cvrl.serving.embedder",
    "official_cvrl.serving.extraction",
    "official_cvrl.serving.film",
    "official_cvrl.serving.person_boxes",
    "official_cvrl.serving.record_cut",
    "official_cvrl.serving.search",
    "official_cvrl.serving.search_page",
    "official_cvrl.serving.video_files",
    "official_cvrl.serving.windows",
}
_FILES = ["train.py", *imports.python_files("official_cvrl", "tfrecords_tools")]


def _room(module):
    for room in _ROOMS:
        if module == room or (room != "official_cvrl" and module.startswith(f"{room}.")):
            return room
    return None


def _ours(path):
    return {module for module in imports.imported_modules(path) if imports.file_of(module)}


@pytest.mark.parametrize("path", _FILES)
def test_file_has_a_room_and_imports_nothing_from_above(path):
    module = imports.module_name(path)
    room = _room(module)
    assert room, f"{path} stands in no room: put it into the order in this test"
    upward = {
        other
        for other in _ours(path)
        if _room(other) is None or _ROOMS.index(_room(other)) < _ROOMS.index(room)
    }
    assert not upward, f"{path} imports {', '.join(sorted(upward))}, which stand above it"


def test_every_room_is_there():
    modules = {imports.module_name(path) for path in _FILES}
    empty = [room for room in _ROOMS if not any(_room(module) == room for module in modules)]
    assert not empty, f"{', '.join(empty)}: take them out of the order in this test"


def test_no_circle():
    graph = {
        imports.module_name(path): _ours(path) - {imports.module_name(path)} for path in _FILES
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"a circle of imports: {' → '.join(reversed(error.args[1]))}")


@pytest.mark.parametrize("path", imports.python_files("official_cvrl"))
def test_only_what_reads_videos_uses_the_offline_tools(path):
    used = {m for m in imports.imported_modules(path) if m.split(".")[0] == "tfrecords_tools"}
    assert not used or imports.module_name(path) in _MAY_USE_TOOLS, f"{path} imports {used}"


@pytest.mark.parametrize("path", _FILES)
def test_gin_ends_at_its_files_and_flags_at_the_commands(path):
    used = {module.split(".")[0] for module in imports.imported_modules(path)}
    assert "gin" not in used or path.startswith("official_cvrl/gin_"), f"{path} imports gin"
    text = (imports.ROOT / path).read_text(encoding="utf-8")
    flags = "argparse" in used or re.search(r"^from absl import .*\b(app|flags)\b", text, re.M)
    is_command = '__name__ == "__main__"' in text or path == "official_cvrl/commands.py"
    assert not flags or is_command, f"{path} is no command, yet reads flags"


def test_every_permission_to_use_the_tools_is_used():
    using = {
        imports.module_name(path)
        for path in _FILES
        if any(module.startswith("tfrecords_tools") for module in _ours(path))
    }
    assert using >= _MAY_USE_TOOLS
