# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Writes the page a person looks at after a run: one HTML file that needs nothing else.

Such as: python -m official_cvrl.report --model_dir=runs/embedded/pretrain --output=report.html
"""

from absl import app, flags

from official_cvrl import commands, errors
from official_cvrl.report import page

_MODEL_DIR = flags.DEFINE_multi_string(
    "model_dir", [], "Folder of a training run; repeat it to compare several on one page."
)
_OUTPUT = flags.DEFINE_string("output", None, "The HTML file to write.")
_MAX_TRAIN_VIDEOS = flags.DEFINE_integer(
    "max_train_videos",
    2000,
    "Nearest neighbours are sought among so many training videos, at most; 0 leaves them out.",
    lower_bound=0,
)


def main(unused_argv):
    """Writes the page that the flags name; returns the exit code."""
    return commands.exit_code(_run, interrupted="Interrupted; no page was written.")


def _run():
    if not _MODEL_DIR.value or not _OUTPUT.value:
        raise errors.UserError("give --model_dir=RUN and --output=FILE.html")
    if len(_MODEL_DIR.value) > 1:
        page.write_comparison(_MODEL_DIR.value, _OUTPUT.value)
    else:
        (model_dir,) = _MODEL_DIR.value
        page.write(model_dir, _OUTPUT.value, max_train_videos=_MAX_TRAIN_VIDEOS.value)
    print(f"Report: {_OUTPUT.value}")


if __name__ == "__main__":
    app.run(main, flags_parser=commands.parse_flags)
