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
_EVERY_ADDRESS = re.compile(
    r"""["'](0\.0\.0\.0|\[?::\]?)[:"']|(Server|bind|create_server)\(\s*\(?["']["'],"""
)
# Each tries a port that TensorFlow's own server, which takes every address, is to have.
_AS_TENSORFLOW_WILL = {
    "official_cvrl/cluster.py": "tells the other workers that this one is there, until all are",
    "official_cvrl/data_service.py": "closed at once: is the port free?",
    "tests/data_service_test.py": "takes that port before it",
}
# What runs what it is given, by the words of docs/security.md, and where it is called.
_RUNS_WHAT_IT_IS_GIVEN = re.compile(
    r"(^|\.)(import_module|__import__|run_path|run_module|exec_module|load_library|load_op_library"
    r"|saved_model\.load\w*|load_model|model_from_\w+|import_graph_def|hub\.load|parse_config\w*"
    r"|DispatchServer|WorkerServer|distribute\.Server|MultiWorkerMirroredStrategy)$"
)
_WHERE = {
    "gin file": {"official_cvrl/gin_names.py"},
    "SavedModel": {"official_cvrl/serving/local.py", "official_cvrl/serving/plain_load.py"},
    "tf.data service": {"official_cvrl/data_service.py"},
    "workers of a training run over several machines": {"official_cvrl/runtime.py"},
}


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


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ('socket.create_server(("", 0))', True),
        ('socket.create_server(\n            ("", port), family=family)', True),
        ("http.server.HTTPServer(('', 0), handler)", True),
        ('server.bind(("0.0.0.0", 80))', True),
        ('address = "[::]:8500"', True),
        ('socket.create_server(("127.0.0.1", 0))', False),
        ('stub.add("", 1)', False),
    ],
)
def test_what_counts_as_every_address(text, is_found):
    assert bool(_EVERY_ADDRESS.search(text)) == is_found


def test_no_server_of_ours_listens_on_every_address():
    files = imports.python_files("official_cvrl", "tfrecords_tools", "benchmarks", "tests")
    listening = set()
    for path in sorted({*files} - {"tests/security_test.py"}):
        text = (imports.ROOT / path).read_text(encoding="utf-8")
        listening |= {path} if _EVERY_ADDRESS.search(text) else set()
    assert listening == {*_AS_TENSORFLOW_WILL}


def test_whatever_runs_what_it_is_given_is_said_in_the_docs():
    calling = {
        path
        for path in ["train.py", *_PACKAGES]
        for name, _, _ in _calls(path)
        if _RUNS_WHAT_IT_IS_GIVEN.search(name)
    }
    assert calling == set().union(*_WHERE.values())
    said = " ".join((imports.ROOT / "docs" / "security.md").read_text(encoding="utf-8").split())
    _, _, run_code = said.partition("**These run code.")
    assert [kind for kind in _WHERE if kind not in run_code] == []
