# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Exit codes of commands, and what a person reads."""

import subprocess
import sys

import pytest

from official_cvrl import commands, errors


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
    assert capsys.readouterr().err.startswith("error: Unknown command line flag 'no_flag_of_ours'")


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
