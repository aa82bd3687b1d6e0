# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Writes the page a person looks at after a run: one HTML file that needs nothing else.

Such as: python -m official_cvrl.report --model_dir=runs/embedded/pretrain --output=report.html
"""

from absl import app, flags

from official_cvrl import commands, errors
from official_cvrl.report import page


def define_flags(values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    flags.DEFINE_multi_string(
        "model_dir",
        [],
        "Folder of a training run; repeat it to compare several on one page.",
        flag_values=values,
    )
    flags.DEFINE_string("output", None, "The HTML file to write.", flag_values=values)
    flags.DEFINE_integer(
        "max_train_videos",
        2000,
        "Nearest neighbours are sought among so many training videos, at most; 0 leaves them out.",
        lower_bound=0,
        flag_values=values,
    )


def run(given: flags.FlagValues) -> int:
    """Writes the page that the flags name; returns the exit code."""
    return commands.exit_code(
        lambda: _write(given), interrupted="Interrupted; no page was written."
    )


def _write(given):
    if not given.model_dir or not given.output:
        raise errors.UserError("give --model_dir=RUN and --output=FILE.html")
    if len(given.model_dir) > 1:
        page.write_comparison(given.model_dir, given.output)
    else:
        (model_dir,) = given.model_dir
        page.write(model_dir, given.output, max_train_videos=given.max_train_videos)
    print(f"Report: {given.output}")


if __name__ == "__main__":
    define_flags(flags.FLAGS)
    app.run(lambda unused: run(flags.FLAGS), flags_parser=commands.parse_flags)
