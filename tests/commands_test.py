# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Exit codes of commands, and what a person reads."""

import ast
import re
import subprocess
import sys

import pytest
from absl import app, flags

from official_cvrl import commands, errors
from tests import imports


def _text(path):
    return (imports.ROOT / path).read_text(encoding="utf-8")


_STARTS = r"^    (?:app\.run\(|sys\.exit\(main\(\)\))"
_COMMANDS = [
    path
    for path in (
        "train.py",
        *imports.python_files("official_cvrl", "tfrecords_tools", "benchmarks"),
    )
    if re.search(_STARTS, _text(path), re.MULTILINE)
]
_TAKES_PATHS = {
    "train.py",  # Whose words for a gin file without its flag are its own.
    "official_cvrl/average_splits.py",
    "official_cvrl/serving/detect.py",
    "official_cvrl/serving/extract.py",
}


def _raises(error):
    def command():
        raise error

    return command


@pytest.mark.parametrize(
    "command, code, said",
    [
        (lambda: None, 0, ""),
        (lambda: 1, 1, ""),
        (_raises(errors.UserError("no such file")), 2, "error: no such file\n"),
        (_raises(errors.TryAgain("nobody is there")), 75, "error: nobody is there\n"),
        (_raises(KeyboardInterrupt), 130, "Nothing was written.\n"),
    ],
)
def test_ends(capsys, command, code, said):
    assert commands.exit_code(command, interrupted="Nothing was written.") == code
    assert capsys.readouterr() == ("", said)


def test_a_flag_that_is_wrong_is_a_mistake(capsys):
    with pytest.raises(SystemExit) as ended:
        commands.parse_flags(["command", "--no_flag_of_ours=1"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "error: there is no flag --no_flag_of_ours. --help lists the flags.\n"
    )


def _argparse(arguments, _):
    parser = commands.Parser(prog="command")
    parser.add_argument("--data_dir", required=True)
    return parser.parse_args(arguments)


def _absl(arguments, monkeypatch, parse=commands.parse_flags):
    given = flags.FlagValues()
    flags.DEFINE_string("data_dir", None, "Folder.", flag_values=given, required=True)
    flags.DEFINE_flag(app.HelpFlag(), flag_values=given)  # As `app.run` does.
    monkeypatch.setattr(flags, "FLAGS", given)
    return parse(["command", *arguments])


@pytest.mark.parametrize("parse", [_argparse, _absl])
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--datadir=x"], 2, "there is no flag --datadir. Did you mean '--data_dir'? --help lists"),
        ([], 2, "data_dir"),
        (["--help"], 0, ""),
    ],
)
def test_a_misspelt_flag_is_answered_with_the_nearest_and_help_is_no_mistake(
    capsys, monkeypatch, parse, arguments, code, said
):
    with pytest.raises(SystemExit) as ended:
        parse(arguments, monkeypatch)
    assert ended.value.code == code
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.err.count("\n") == (code == 2)
    assert bool(shown.out) == (code == 0)


def test_commands_of_both_kinds_are_found():
    assert {"train.py", "official_cvrl/probe/__main__.py", "tfrecords_tools/inspect.py"} < set(
        _COMMANDS
    )


@pytest.mark.parametrize("path", _COMMANDS)
def test_help_shows_an_example(path):
    """Of absl that is how the file begins, of argparse what it is given."""
    command = path if path == "train.py" else f"-m {imports.module_name(path)}"
    example = f"python {command.removesuffix('.__main__')}"
    assert re.search(rf"{re.escape(example)}\s", _beginning_of_help(ast.parse(_text(path))))


def _beginning_of_help(tree):
    described = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_DESCRIPTION"
    )
    return getattr(next(described, None), "value", ast.get_docstring(tree))


@pytest.mark.parametrize("path", _COMMANDS)
def test_what_stands_after_the_flags_is_taken_or_refused(path):
    """What absl makes of it is for the command; argparse refuses what it does not know."""
    starts = [
        {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        for node in ast.walk(ast.parse(_text(path)))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "app.run"
    ]
    takes_paths = path in _TAKES_PATHS
    parser = f"commands.parse_flags{'_and_paths' if takes_paths else ''}"
    assert starts == [{"flags_parser": parser}] or "commands.Parser(" in _text(path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["S2"], "error: 'S2' stands without a flag"),
        (["--data_dir=S1", "S2", "S3", "--data_dir=S4"], "error: 'S2' stands without a flag"),
        (["--data_dir=S1", "--", "--data_dir=S4"], "error: '--data_dir=S4' stands without a flag"),
    ],
)
def test_what_is_no_flag_is_refused_by_name(capsys, monkeypatch, arguments, said):
    with pytest.raises(SystemExit) as ended:
        _absl(["--data_dir=S0", *arguments], monkeypatch)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(said)


@pytest.mark.parametrize(
    ("arguments", "paths"),
    [
        (["--data_dir=S1"], []),
        (["a.mp4", "--data_dir=S1", "b.mp4"], ["a.mp4", "b.mp4"]),
        (["--data_dir=S1", "--", "a.mp4", "--b.mp4"], ["a.mp4", "--b.mp4"]),
    ],
)
def test_paths_among_flags_are_returned(monkeypatch, arguments, paths):
    assert _absl(arguments, monkeypatch, commands.parse_flags_and_paths) == ["command", *paths]
    assert flags.FLAGS.data_dir == "S1"


def test_names_after_a_lone_dash_dash_are_values_to_argparse():
    parser = commands.Parser(prog="command")
    parser.add_argument("path")
    assert parser.parse_args(["--", "--records"]).path == "--records"


def test_what_an_interruption_leaves_is_asked_when_it_came(capsys):
    left = []

    def command():
        left.append("half a file")
        raise KeyboardInterrupt

    assert commands.exit_code(command, interrupted=lambda: f"Kept: {left[0]}.") == 130
    assert capsys.readouterr().err == "Kept: half a file.\n"


@pytest.mark.parametrize("code", [75, 130])
def test_an_interrupted_process_does_not_wait_for_threads(code):
    program = f"""if True:
        import atexit, sys, threading
        from official_cvrl import commands
        atexit.register(print, "waited")
        threading.Thread(target=threading.Event().wait, args=[0.3]).start()
        print("last words")
        commands.leave({code})
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == code
    assert done.stdout == ("last words\n" if code == 130 else "last words\nwaited\n")


def test_what_is_nobodys_mistake_keeps_its_trace():
    with pytest.raises(ZeroDivisionError):
        commands.exit_code(_raises(ZeroDivisionError()), interrupted="")
