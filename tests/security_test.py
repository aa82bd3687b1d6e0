# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What comes from outside is read as data and never run; docs/security.md says so, this holds it.

What is not here stands beside what it guards: names on pages (tests/report/page_test.py,
tests/serving/search_test.py), paths in lists (tests/tfrecords_tools/confinement_test.py).
"""

import ast
import re

import numpy as np
import pytest

from official_cvrl import errors
from official_cvrl.serving import tables
from tests import imports

_PACKAGES = imports.python_files("official_cvrl", "tfrecords_tools")
# Between `export` and the process that it starts to try the SavedModel, in a folder of its own.
_OWN_PICKLES = {"official_cvrl/serving/plain_load.py", "official_cvrl/serving/trial.py"}
_RUN_WHAT_THEY_READ = {"pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml"}
_RUN_WHAT_THEY_READ |= {"torch"}
_EVERY_ADDRESS = re.compile(r"""["'](0\.0\.0\.0|\[?::\]?)[:"']|(Server|bind)\(\(?["']["'],""")


def _calls(path):
    for node in ast.walk(ast.parse((imports.ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            yield ast.unparse(node.func), keywords, f"{path}:{node.lineno}"


def test_nothing_reads_files_that_can_run_code():
    using = {
        path
        for path in ["train.py", *_PACKAGES]
        if {name.partition(".")[0] for name in imports.imported_modules(path)} & _RUN_WHAT_THEY_READ
    }
    assert using == _OWN_PICKLES


def test_no_array_is_unpickled_and_no_text_evaluated_or_given_to_a_shell():
    wrong = []
    for path in ["train.py", *_PACKAGES]:
        for name, keywords, where in _calls(path):
            if name in ("np.load", "np.lib.format.read_array"):
                wrong += [where] * (keywords.get("allow_pickle") != "False")
            wrong += [where] * (name in ("eval", "exec", "compile", "os.system", "os.popen"))
            wrong += [where] * (keywords.get("shell", "False") != "False")
            wrong += [where] * name.endswith("extractall")
    assert wrong == []


class _Bomb:
    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return open, (self._path, "w")


def test_a_table_of_embeddings_with_a_pickle_inside_is_refused(tmp_path):
    table = tmp_path / "x.npz"
    bomb = np.array([_Bomb(str(tmp_path / "went_off"))], object)
    np.savez(table, paths=bomb, embeddings=np.zeros([1, 3], np.float32))
    with pytest.raises(errors.UserError, match=re.escape(str(table))):
        tables.read(str(table))
    assert not (tmp_path / "went_off").exists()
    with np.load(table, allow_pickle=True) as unwary:
        unwary["paths"]
    assert (tmp_path / "went_off").exists(), "it was no pickle that goes off"


def test_no_server_of_ours_listens_on_every_address():
    files = imports.python_files("official_cvrl", "tfrecords_tools", "benchmarks", "tests")
    wrong = []
    for path in sorted({*files} - {"tests/security_test.py"}):
        text = (imports.ROOT / path).read_text(encoding="utf-8")
        wrong += [path] * bool(_EVERY_ADDRESS.search(text))
    assert wrong == []


def test_what_runs_code_is_said_in_the_docs():
    said = (imports.ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    for kind in ("gin file", "SavedModel", "tf.data service"):
        assert kind in said
