# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""BUILD files hold one target for each Python file, with exactly the files' imports as deps.

Bazel's language is evaluated here as the Python that it is a part of. A failure prints the target
as it should be, to be pasted.
"""

import ast
import dataclasses
import re
import sys

import pytest

from tests import imports

# Where the name of a third-party module is not the name of the package that brings it.
_PACKAGES = {
    "PIL": "pillow",
    "absl": "absl_py",
    "faiss": "faiss_cpu",
    "cv2": "opencv_python_headless",
    "gin": "gin_config",
    "google": "protobuf",
    "grpc": "grpcio",
    "official": "tf_models_official",
    "orbit": "tf_models_official",
    "sklearn": "scikit_learn",
    "tensorflow_serving": "tensorflow_serving_api",
}
# Of the second stack alone, and of its tests; Bazel knows the default one.
_SECOND_STACK = {"tensorflow_io", "tensorflow_addons", "boto3", "moto"}
# Needed without an import: tensorflow.keras is tf_keras once official_cvrl has chosen it.
_WITHOUT_IMPORT = {
    "official_cvrl/__init__.py": {"@pypi//tf_keras"},
    # Run in processes of its own.
    "tests/tasks/strategies_test.py": {":updates"},
    # Their photographs.
    "official_cvrl/data/synthetic.py": {"@pypi//scikit_image", "@pypi//scikit_learn"},
}
# In the requirements for the sake of others, see the comments there, or to be run as commands.
_NOT_IMPORTED = {"google_api_core", "setuptools", "pytest_xdist", "ruff"}

_PYTHON_RULES = ("py_library", "py_binary", "py_test")
_NODES = (
    *(ast.Module, ast.Expr, ast.Call, ast.keyword, ast.Name, ast.Load, ast.Store, ast.Assign),
    *(ast.Constant, ast.List, ast.Dict, ast.BinOp, ast.Add),
)
_FILES = [path for path in imports.python_files() if not path.startswith(".")]
_FOLDERS = sorted({path.rpartition("/")[0] for path in _FILES} | {"configs"})


@dataclasses.dataclass(frozen=True)
class Target:
    """One rule of a BUILD file; files and labels as sets, since their order means nothing."""

    rule: str
    name: str
    srcs: frozenset[str] = frozenset()
    deps: frozenset[str] = frozenset()
    data: frozenset[str] = frozenset()
    main: str = ""
    args: tuple[str, ...] = ()
    testonly: bool = False

    def text(self):
        lines = [f"{self.rule}(", f'    name = "{self.name}",']
        lines += ["    testonly = True,"] if self.testonly else []
        lines += _list_text("srcs", self.srcs)
        lines += _list_text("args", self.args)
        lines += [f'    main = "{self.main}",'] if self.main else []
        lines += _list_text("data", self.data) + _list_text("deps", self.deps)
        return "\n".join([*lines, ")"])


def _list_text(name, values):
    values = sorted(values, key=lambda label: ("@" in label, not label.startswith(":"), label))
    if len(values) < 2:
        return [f'    {name} = ["{values[0]}"],'] if values else []
    return [f"    {name} = [", *(f'        "{value}",' for value in values), "    ],"]


def _evaluate(folder):
    """Returns the targets of a folder's BUILD file by name; refuses what Bazel would."""
    path = imports.ROOT / folder / "BUILD"
    assert path.is_file(), f"there is no {folder}/BUILD"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        assert isinstance(node, _NODES), f"{path}:{node.lineno}: no part of a BUILD file here"
    loaded, targets = set(), {}

    def load(_, *names):
        loaded.update(names)

    def rule(kind):
        def define(*, name, srcs=(), deps=(), data=(), main="", args=(), testonly=False, **others):
            assert kind in loaded or kind not in _PYTHON_RULES, f"{path}: {kind} is not loaded"
            assert name not in targets, f"{path}: two targets '{name}'"
            assert others.keys() <= {"visibility", "tags", "size"}, f"{path}: {name} has {others}"
            sets = {"srcs": frozenset(srcs), "deps": frozenset(deps), "data": frozenset(data)}
            extra = {"main": main, "args": tuple(args), "testonly": testonly}
            targets[name] = Target(kind, name, **sets, **extra)

        return define

    def glob(patterns):
        here = imports.ROOT / folder
        return [str(f.relative_to(here)) for pattern in patterns for f in here.glob(pattern)]

    names = {kind: rule(kind) for kind in (*_PYTHON_RULES, "filegroup")}
    names |= {"load": load, "glob": glob, "package": lambda **_: None}
    names |= {"exports_files": lambda files: targets.update({f: Target("file", f) for f in files})}
    exec(compile(tree, str(path), "exec"), {"__builtins__": {}, "True": True} | names)
    return targets


def _label(path, *, seen_from):
    """Returns the label of a Python file's target as written in a folder's BUILD file."""
    folder, _, file = path.rpartition("/")
    name = folder.rpartition("/")[2] if file == "__init__.py" else file.removesuffix(".py")
    if folder == seen_from:
        return f":{name}"
    return f"//{folder}" if folder.rpartition("/")[2] == name else f"//{folder}:{name}"


def _deps(path):
    """Returns the labels that a file's imports, and the packages it stands in, need."""
    folder, _, file = path.rpartition("/")
    needed = {imports.file_of(module) or module for module in imports.imported_modules(path)}
    parent = folder if file != "__init__.py" else folder.rpartition("/")[0]
    needed |= {f"{parent}/__init__.py"} & set(_FILES)
    if path.startswith("tests/"):
        above = [folder[: end.start()] for end in re.finditer(r"/|$", folder)]
        needed |= {f"{part}/conftest.py" for part in above} & set(_FILES)
    labels = set(_WITHOUT_IMPORT.get(path, ()))
    for name in needed - {path}:
        root = name.partition(".")[0]
        if name.endswith(".py"):
            labels.add(_label(name, seen_from=folder))
        elif root not in sys.stdlib_module_names and root not in _SECOND_STACK:
            labels.add(f"@pypi//{_PACKAGES.get(root, root)}")
    return frozenset(labels)


def _expected(path, data=frozenset()):
    """Returns the target that a Python file should have; data cannot be seen in it."""
    folder, _, file = path.rpartition("/")
    name = _label(path, seen_from=folder)[1:]
    common = {"name": name, "deps": _deps(path), "data": data}
    text = (imports.ROOT / path).read_text(encoding="utf-8")
    if file.endswith("_test.py"):
        main = f"{'' if folder == 'tests' else '//tests:'}pytest_main.py"
        return Target("py_test", srcs=frozenset({file, main}), main=main, args=(path,), **common)
    is_command = '__name__ == "__main__"' in text
    rule = "py_binary" if is_command else "py_library"
    return Target(rule, srcs=frozenset({file}), testonly=folder.startswith("tests"), **common)


def _is_exported(path):
    return path == "tests/pytest_main.py"


@pytest.mark.parametrize("folder", _FOLDERS)
def test_folder_has_one_target_for_each_file(folder):
    declared = _evaluate(folder)
    files = [path for path in _FILES if path.rpartition("/")[0] == folder]
    expected = {}
    for path in files:
        name = _label(path, seen_from=folder)[1:]
        if not _is_exported(path):
            expected[name] = _expected(path, declared[name].data if name in declared else ())
    wrong = [t.text() for name, t in expected.items() if declared.get(name) != t]
    assert not wrong, f"{folder}/BUILD should have:\n\n" + "\n\n".join(wrong)
    python = {name for name, target in declared.items() if target.rule in _PYTHON_RULES}
    extra = python - expected.keys()
    assert not extra, f"{folder}/BUILD has targets without a file: {', '.join(sorted(extra))}"


@pytest.mark.parametrize("folder", _FOLDERS)
def test_labels_lead_somewhere(folder):
    for target in _evaluate(folder).values():
        for label in {*target.deps, *target.data}:
            if label.startswith("@pypi//"):
                continue
            place, _, name = label.removeprefix("//").partition(":")
            place = folder if label.startswith(":") else place
            name = name or place.rpartition("/")[2]
            assert name in _evaluate(place), f"{folder}/BUILD: {target.name}: no target {label}"


def test_gin_files_are_all_in_one_group():
    group = _evaluate("configs")["configs"]
    files = {
        str(f.relative_to(imports.ROOT / "configs")) for f in imports.ROOT.glob("configs/**/*.gin")
    }
    assert group.srcs == files


def _required():
    """Returns the packages that the requirements files name, as labels write them."""
    lines = []
    for file in ("requirements.txt", "requirements-beam.txt", "requirements-dev.txt"):
        lines += (imports.ROOT / file).read_text(encoding="utf-8").splitlines()
    names = {match[0] for line in lines if (match := re.match(r"[A-Za-z0-9_-]+", line))}
    return {name.lower().replace("-", "_") for name in names}


def test_requirements_are_what_is_imported():
    used = {
        label.removeprefix("@pypi//")
        for path in _FILES
        for label in _deps(path)
        if label.startswith("@pypi//")
    }
    assert used - _required() == set(), "imported, but in no requirements file"
    assert _required() - used - _NOT_IMPORTED == set(), "in a requirements file, but not imported"
    locked = (imports.ROOT / "requirements-lock.txt").read_text(encoding="utf-8")
    pinned = {name.replace("-", "_") for name in re.findall(r"^([a-z0-9_-]+)==", locked, re.M)}
    assert _required() - pinned == set(), "in a requirements file, but not in the lock: make lock"
