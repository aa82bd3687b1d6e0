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

_COMMANDS = [
    path
    for path in ("train.py", *imports.python_files("official_cvrl"))
    if re.search(
        r"^    app\.run\(", (imports.ROOT / path).read_text(encoding="utf-8"), re.MULTILINE
    )
]


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


def _absl(arguments, monkeypatch):
    given = flags.FlagValues()
    flags.DEFINE_string("data_dir", None, "Folder.", flag_values=given, required=True)
    flags.DEFINE_flag(app.HelpFlag(), flag_values=given)  # As `app.run` does.
    monkeypatch.setattr(flags, "FLAGS", given)
    return commands.parse_flags(["command", *arguments])


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


@pytest.mark.parametrize("path", _COMMANDS)
def test_help_shows_an_example(path):
    """What absl prints begins with the file's own first words."""
    command = path if path == "train.py" else f"-m {imports.module_name(path)}"
    said = ast.get_docstring(ast.parse((imports.ROOT / path).read_text(encoding="utf-8")))
    assert f"python {command.removesuffix('.__main__')} " in said


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
