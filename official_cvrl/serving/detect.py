# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
r"""What persons do in films: a csv file as AVA's evaluator reads it, and the film with boxes.

Such as:

    python -m official_cvrl.serving.detect --model_dir=runs/embedded/detect --boxes=BOXES.csv \
        --output=DIR FILM.mp4
"""

import os
import sys
from collections.abc import Mapping, Sequence

from absl import app, flags

from official_cvrl import amounts, ava_files, commands, errors, filesystems, outputs
from official_cvrl.serving import annotated, film, person_boxes, record_cut, video_files
from official_cvrl.tasks import detector
from tfrecords_tools import annotations, video

_SHOWN = 20  # Lines of a note.
_SETTING = "--output=DIR"


def run(given: flags.FlagValues, paths: Sequence[str] = ()) -> int:
    """Detects in the films that the flags, and paths after them, name; returns the exit code."""
    return commands.exit_code(
        lambda: _detect(given, paths),
        interrupted="Interrupted; films that were done are in --output, whole.",
    )


def _detect(given, paths):
    if not (given.model_dir and given.output):
        raise errors.UserError("give --model_dir=RUN, --output=DIR and films")
    for option in ("output", "boxes"):
        filesystems.refuse_remote(given[option].value, option=f"--{option}")
    found = video_files.find([*given.videos, *paths])
    films, failed = found.videos, len(found.faults)
    for fault in found.faults:
        _say_none(fault.path, fault.reason)
    model = detector.Detector(given.model_dir)
    targets = _targets(films, given.output)
    _refuse_replacing(targets, (*films, *given.videos, *paths, given.boxes), given.output)
    key_seconds = _key_seconds(films, given.boxes)
    cut = _cut(model.data_dir)
    done = 0
    for path in films:
        try:
            seconds = _seconds_of(path, key_seconds)
            seen = film.detect(path, seconds, model, cut=cut)
            _write(path, seen, model, targets[path], given)
            done += 1
        except video.VideoError as error:
            failed += 1
            _say_none(path, str(error))
    others = f"; {amounts.counted(found.num_others, 'other file')} passed over"
    print(
        f"Detections: {given.output} ({amounts.counted(done, 'film')}, {failed:,} without"
        f"{others if found.num_others else ''})"
    )
    return 1 if failed else 0


def _seconds_of(path, key_seconds):
    if key_seconds is None:
        return film.every_second(path)
    if path not in key_seconds:
        raise video.VideoError("no box in --boxes")
    return key_seconds[path]


def _say_none(path, reason):
    print(f"no detections: {annotations.printable(path)}: {reason}", file=sys.stderr)


def _targets(films, output) -> Mapping[str, str]:
    """Where to write, by film, without ending."""
    targets: dict[str, str] = {}
    for path in films:
        target = os.path.join(output, os.path.splitext(os.path.basename(path))[0])
        if target in targets.values():
            other = next(other for other, taken in targets.items() if taken == target)
            raise errors.UserError(
                f"{other} and {path} would both be {target}.mp4; detect them one at a time, into "
                "different folders."
            )
        targets[path] = target
    try:
        os.makedirs(output, exist_ok=True)
    except OSError as error:
        reason = "it is a file" if os.path.isfile(output) else error.strerror
        raise errors.UserError(
            f"--output={output} cannot be made: {reason}. Give another folder."
        ) from error
    for target in targets.values():
        for ending in ("csv", "mp4"):
            outputs.refuse_unwritable(f"{target}.{ending}", setting=_SETTING)
    return targets


def _refuse_replacing(targets, inputs, output):
    """Refuses to replace what is given, or lies beside a film and may be its user's."""
    given = {_file(path) for path in inputs} - {None}
    for path, target in targets.items():
        is_beside = _file(output) == _file(os.path.dirname(path) or ".")
        for written in (f"{target}.csv", f"{target}.mp4"):
            found = _file(written)
            if found and (found in given or is_beside):
                which = "is given" if found in given else f"lies beside {path}"
                raise errors.UserError(
                    f"--output={output} would replace {written}, which {which}; give another "
                    "folder."
                )


def _file(path):
    """Which file that is, however it is named; None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _key_seconds(films, boxes) -> Mapping[str, person_boxes.KeySeconds] | None:
    """Who is where by film; None for the whole frame at every second."""
    if not boxes:
        print("No --boxes: at every second the whole frame is taken for one person's box.")
        return None
    read = person_boxes.read(boxes)
    found = read.of(films)
    _note(read.refused, "row", f"of {boxes} left out as no box")
    _note(
        found.repeated, "row", f"of {boxes} left out: a box again, under another name of the film"
    )
    strangers = [
        f"{name}, {amounts.counted(count, 'box', 'boxes')}" for name, count in found.others.items()
    ]
    _note(strangers, "film", f"of {boxes} left out, not being given")
    return found.films


def _cut(data_dir) -> record_cut.Cut:
    """How clips were cut for the model; the defaults, and that is said, if nobody knows."""
    try:
        return record_cut.of(data_dir)
    except errors.UserError as error:
        print(
            f"note: how the clips were cut that the model was trained on is not known ({error}); "
            "here they are cut with the defaults of conversion. If it had other --clip_seconds, "
            "--fps or --short_side, the scores are others.",
            file=sys.stderr,
        )
        return record_cut.Cut()


def _note(faults: Sequence[str], unit: str, what: str) -> None:
    """Says how many there are, and which."""
    if not faults:
        return
    print(f"note: {amounts.counted(len(faults), unit)} {what}:", file=sys.stderr)
    more = [f"… and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
    for line in (*faults[:_SHOWN], *more):
        print(f"  {line}", file=sys.stderr)


def _write(path, found, model, target, given):
    _note(found.refused, "key second", f"of {path} left out, not to be seen")
    if not found.seen:
        raise video.VideoError("none of its key seconds can be seen")
    captions = film.captions(
        found.seen, model.label_names, min_score=given.min_score, most=given.labels_drawn
    )
    with outputs.whole_file(f"{target}.mp4", setting=_SETTING) as file:
        num_frames = annotated.write(path, file, captions)
        file.flush()  # A full disk shows here, before the csv takes its place; the MP4 comes next.
        _write_table(f"{target}.csv", os.path.basename(target), found.seen, model)
    key_frames = amounts.counted(len(found.seen), "key frame")
    print(f"{target}.csv, .mp4: {key_frames}, {amounts.counted(num_frames, 'frame')} drawn")


def _write_table(output, name, seen, model):
    ava_files.write_detections(
        output,
        film.boxes(seen),
        key_times=[(annotations.printable(name), each.second) for each in seen],
        label_ids=range(1, len(model.label_names) + 1),
    )


def define_flags(values: flags.FlagValues) -> None:
    """Other commands have flags of the same names, so a mere import defines none here."""
    texts = {
        "model_dir": (None, "Folder of a detection run."),
        "boxes": ("", "csv of person boxes: video,second,x1,y1,x2,y2[,person], with that header."),
        "output": (None, "Folder for FILM.csv and FILM.mp4."),
    }
    for name, (default, text) in texts.items():
        flags.DEFINE_string(name, default, text, flag_values=values)
    flags.DEFINE_multi_string(
        "videos",
        [],
        "A film, a folder, or a .csv list with a column path. Repeat it, or list more after the "
        "flags.",
        flag_values=values,
    )
    flags.DEFINE_float(
        "min_score",
        0.5,
        "Actions of a lower score are not drawn, but for the likeliest of each person; the csv "
        "file has all.",
        lower_bound=0.0,
        upper_bound=1.0,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "labels_drawn", 3, "At most, of each person.", lower_bound=1, flag_values=values
    )


if __name__ == "__main__":
    define_flags(flags.FLAGS)
    app.run(
        lambda arguments: run(flags.FLAGS, arguments[1:]),
        flags_parser=commands.parse_flags_and_paths,
    )
