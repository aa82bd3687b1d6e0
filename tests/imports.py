# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Which modules a file of this repository imports, read from its text."""

import ast
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[1]
_FOLDERS = ("official_cvrl", "tfrecords_tools", "tests", "benchmarks")


def python_files(*folders: str) -> list[str]:
    """Returns the repository's Python files, by path from its root; of some folders, or all."""
    found = [] if folders else sorted(ROOT.glob("*.py"))
    for folder in folders or _FOLDERS:
        found += sorted((ROOT / folder).rglob("*.py"))
    return [path.relative_to(ROOT).as_posix() for path in found]


def module_name(path: str) -> str:
    """Returns "official_cvrl.data.feed" for "official_cvrl/data/feed.py"."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def file_of(module: str) -> str | None:
    """Returns the file of one of our modules; None if it is not ours."""
    stem = module.replace(".", "/")
    for path in (f"{stem}.py", f"{stem}/__init__.py"):
        if (ROOT / path).is_file():
            return path
    return None


def imported_modules(path: str) -> set[str]:
    """Returns the full names of the modules a file imports, wherever in the file that is.

    `from a import b` counts as `a.b` if that is a module of ours, and as `a` otherwise.
    """
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"{path}:{node.lineno}: relative import; name the module in full")
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if file_of(inner) else node.module)
    return found
