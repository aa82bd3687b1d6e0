# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of official_cvrl.stack; on both stacks, which answer differently."""

import importlib.util
import re
import subprocess
import sys

import pytest

from official_cvrl import errors, filesystems, gin_utils, stack
from tests import imports

_HAS_IO = importlib.util.find_spec("tensorflow_io") is not None

# A C++ library whose unloading aborts, as far as a process can tell.
_ENDS_BADLY = """
import atexit, ctypes, sys
from official_cvrl import stack
libc = ctypes.CDLL(None)
libc.on_exit(libc.abort, None)
if {mended}: atexit.register(stack._end_before_libraries_unload)
atexit.register(print, "last words")
libc.printf(b"of C\\n")
sys.exit({code})
"""


def _end(**options):
    return subprocess.run(
        [sys.executable, "-c", _ENDS_BADLY.format(**options)],
        cwd=imports.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("code", [0, 3])
def test_the_exit_code_is_the_works_not_the_unloadings(code):
    assert _end(mended=False, code=code).returncode == -6
    done = _end(mended=True, code=code)
    assert done.returncode == code
    assert sorted(done.stdout.split("\n")) == ["", "last words", "of C"]


def test_modules_of_the_second_stack_are_named_with_it():
    found = stack.where_to_find("tensorflow_addons.optimizers")
    assert "tensorflow-addons works on" in found
    assert "STACK=tf215" in found
    assert (imports.ROOT / re.search(r"requirements\S*txt", found)[0]).is_file()
    assert stack.where_to_find("tensorflow") == ""


def test_cloud_storage_opens_or_is_refused_with_the_ways_out():
    assert stack.register_filesystems() == _HAS_IO
    for name in ("s3", "az", "hdfs"):
        path = f"{name}://bucket/a"
        if _HAS_IO:
            assert str(filesystems.openable_path(path) / "b") == f"{path}/b"
        else:
            ways_out = f"(?s){path}: .*local folder or gs://.*tensorflow-io works on.*tf215"
            with pytest.raises(errors.UserError, match=ways_out):
                filesystems.openable_path(path)
    assert str(filesystems.openable_path("gs://bucket/a") / "b") == "gs://bucket/a/b"


def test_a_gin_file_may_name_addons_or_is_told_which_stack_has_them():
    name = "tf215/pretrain_lamb.gin"
    if importlib.util.find_spec("tensorflow_addons"):
        gin_utils.parse([name])
    else:
        where = rf"configs/{name}:\d+: there is no module 'tensorflow_addons'"
        with pytest.raises(errors.UserError, match=f"{where}.*addons works on .*STACK=tf215"):
            gin_utils.parse([name])


def _ranges(file):
    text = (imports.ROOT / file).read_text(encoding="utf-8")
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    return {re.match(r"[\w-]+", line)[0]: line for line in lines if line}


def test_both_stacks_name_the_same_packages():
    default, second = _ranges("requirements.txt"), _ranges("requirements-tf215.txt")
    assert default.keys() - second.keys() == set()
    only_there = {"tensorflow-addons", "tensorflow-io", "tensorflow-metadata"}
    assert second.keys() - default.keys() == only_there
    differing = {name for name in default if default[name] != second[name]}
    follow_tensorflow = {name for name in default if name.startswith(("tensorflow", "tf-"))}
    assert differing == follow_tensorflow | {"numpy", "protobuf"}


def test_the_second_stacks_lock_has_all_that_it_names():
    locked = (imports.ROOT / "requirements-tf215-lock.txt").read_text(encoding="utf-8")
    pinned = set(re.findall(r"^([a-z0-9-]+)==", locked, re.M))
    for file in ("-dev", "-beam", "-tf215", "-tf215-dev"):
        assert _ranges(f"requirements{file}.txt").keys() - pinned == set(), file
