# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
r"""Embeddings of video files, by a SavedModel here or by a server: a row a video, or a window.

Such as:

    python -m official_cvrl.serving.extract --saved_model=saved_model --videos=MY_VIDEOS \
        --output=embeddings.npz
"""

import contextlib
import os
import sys
from collections.abc import Sequence

from absl import app, flags

from official_cvrl import amounts, commands, errors
from official_cvrl.serving import connect, extraction, journal, questions, windows

# Here one request keeps all cores busy; a server may have more of them, and batches requests.
_AT_ONCE_HERE, _AT_ONCE_THERE = 1, 8


def _options(given):
    for flag in ("window", "hop"):
        if given[flag].value and given["num_clips"].present:
            raise errors.UserError(
                f"--{flag} makes a row of each window, --num_clips one of a whole video; give one "
                "of them."
            )
    at_once = given.requests_at_once or (_AT_ONCE_THERE if given.server else _AT_ONCE_HERE)
    return extraction.Options(
        num_clips=given.num_clips,
        window=_length("window", given.window),
        hop=_length("hop", given.hop),
        temporal_stride=given.temporal_stride,
        patience=given.patience,
        asking=questions.Asking(
            signature=given.signature,
            clips_per_request=given.clips_per_request,
            requests_at_once=at_once,
            timeout=given.timeout,
        ),
    )


def _length(flag, text):
    try:
        return windows.Length.parse(text) if text else None
    except ValueError as error:
        raise errors.UserError(f"--{flag}={text}: {error}") from error


def run(given: flags.FlagValues, paths: Sequence[str] = ()) -> int:
    """Embeds what the flags, and paths after them, name; returns the exit code."""
    return commands.exit_code(
        lambda: _extract(given, paths), interrupted=lambda: _interrupted(given.output)
    )


def _extract(given, paths):
    if not given.output:
        raise errors.UserError("give --output=FILE.npz, .parquet or .tfrecord")
    options = _options(given)
    model = connect.connect(
        saved_model=given.saved_model,
        server=given.server,
        model_name=given.model_name,
        connections=options.asking.requests_at_once,
    )
    with contextlib.closing(model):
        outcome = extraction.extract(model, [*given.videos, *paths], given.output, options=options)
    for words, faults in (("no embedding", outcome.failed), ("read in part", outcome.partial)):
        for fault in faults:
            print(f"{words}: {fault.path}: {fault.reason}", file=sys.stderr)
    print(f"Embeddings: {given.output} ({_in_words(outcome)})")
    return 1 if outcome.failed else 0


def _in_words(outcome):
    num_rows, dim = outcome.shape
    size = f"{amounts.counted(num_rows, 'row')} of {amounts.counted(dim, 'number')}"
    lacking = f"{amounts.counted(len(outcome.failed), 'video')} without"
    others = f"; {amounts.counted(outcome.num_others, 'other file')} passed over"
    partial = f"{len(outcome.partial):,} read in part"
    return f"{size}; {lacking}, {partial}{others if outcome.num_others else ''}"


def _interrupted(output):
    if os.path.exists(output + journal.SUFFIX):
        return "Interrupted; what is done is kept, and the same command goes on from there."
    return "Interrupted; nothing was written."


def define_flags(values: flags.FlagValues) -> None:
    """Other commands have flags of the same names, so a mere import defines none here."""
    options, asking = extraction.Options, questions.Asking  # Whose fields have the defaults.
    texts = {
        "saved_model": ("", "Folder written by serving.export: one version, or the newest."),
        "server": ("", "Or TensorFlow Serving: grpc://HOST:PORT, http://HOST:PORT."),
        "model_name": ("cvrl", "What the server calls the model."),
        "output": (None, "The table: FILE.npz, FILE.parquet or FILE.tfrecord."),
        "window": (
            "",
            "A row for each window of 64 (frames) or 2.5s; a clip's length if only --hop.",
        ),
        "hop": ("", "From one window to the next, alike; as --window if only that."),
    }
    for name, (default, text) in texts.items():
        flags.DEFINE_string(name, default, text, flag_values=values)
    counts = {
        "num_clips": (options.num_clips, 1, "Clips spread evenly over each video."),
        "temporal_stride": (
            options.temporal_stride,
            0,
            "Frames from one of a clip to the next; 0: as the model says.",
        ),
        "clips_per_request": (asking.clips_per_request, 1, "Clips in one request."),
        "requests_at_once": (0, 0, "Requests in flight; 0: 8 to a server, 1 here."),
    }
    for name, (default, least, text) in counts.items():
        flags.DEFINE_integer(name, default, text, lower_bound=least, flag_values=values)
    seconds = {
        "timeout": (asking.timeout, 0.001, "Seconds for one request."),
        "patience": (options.patience, 0.0, "Seconds to ask again without answer."),
    }
    for name, (default, least, text) in seconds.items():
        flags.DEFINE_float(name, default, text, lower_bound=least, flag_values=values)
    flags.DEFINE_multi_string(
        "videos",
        [],
        "A video file, a folder, or a .csv list with a column path. Repeat it, or list more after "
        "the flags.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "signature",
        asking.signature,
        [questions.ENCODED, questions.RAW],
        "What is sent: JPEGs, or pixels; the numbers are the same.",
        flag_values=values,
    )


if __name__ == "__main__":
    define_flags(flags.FLAGS)
    app.run(
        lambda arguments: commands.leave(run(flags.FLAGS, arguments[1:])),
        flags_parser=commands.parse_flags_and_paths,
    )
