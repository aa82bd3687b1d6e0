# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Exit codes of commands, and what a person reads."""

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


def test_what_an_interruption_leaves_is_asked_when_it_came(capsys):
    left = []

    def command():
        left.append("half a file")
        raise KeyboardInterrupt

    assert commands.exit_code(command, interrupted=lambda: f"Kept: {left[0]}.") == 130
    assert capsys.readouterr().err == "Kept: half a file.\n"


def test_what_is_nobodys_mistake_keeps_its_trace():
    with pytest.raises(ZeroDivisionError):
        commands.exit_code(_raises(ZeroDivisionError()), interrupted="")
