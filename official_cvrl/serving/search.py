# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Videos that look like a video: the nearest rows of a table that `extract` wrote, as a page.

Such as: python -m official_cvrl.serving.search --index=embeddings.npz --query=MY_VIDEOS/one.mp4
"""

import contextlib
import itertools
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from absl import app, flags

from official_cvrl import amounts, commands, errors, filesystems, outputs
from official_cvrl.serving import connect, extraction, nearest, search_page, tables
from tfrecords_tools import annotations, video

_BEGINNING_US = 1_000_000


class Found(NamedTuple):
    """What lies near a video.

    Attributes:
        matches: the nearest first.
        asked: what of the video was asked for.
        caption: among what was searched, and how.
    """

    matches: Sequence[search_page.Match]
    asked: str
    caption: str


def search(
    index: str,
    query: str,
    embedding: np.ndarray | None,
    *,
    count: int,
    checksum: str = "",
    folder: str = "",
) -> Found:
    """Finds the stretches of other videos that lie nearest to a video, one of each.

    Args:
        index: a table of embeddings. A large one gets an index beside it.
        query: path of the video. Its own rows are left out.
        embedding: of the whole of it, float32 [dim]; None for the mean of its rows.
        count: how many, at most.
        checksum: of the model that gave it; "" if nobody knows.
        folder: see `tables.Table.places`.

    Raises:
        UserError: no such table, the query has no row in it or is no video, or other embeddings
            than the model's.
    """
    table = tables.read(index)
    name = os.path.abspath(annotations.printable(query))
    places = table.places(folder)
    is_query = np.array([os.path.abspath(path) == name for path in places])
    asked = "the whole video"
    if embedding is None:
        embedding = _mean_of_own_rows(table, is_query, query=query, index=index)
        asked = _extent(table.start_us[is_query], table.end_us[is_query])
    _refuse_another_model(table, embedding, checksum, index=index)
    is_large = len(table.paths) > nearest.LARGE
    nearby = (
        nearest.Indexed(table.embeddings, path=index + nearest.SUFFIX)
        if is_large
        else nearest.Exact(table.embeddings)
    )
    best = _best_of_each(nearby, embedding, places, is_query=is_query, count=count)
    matches = [
        search_page.Match(
            place, int(table.start_us[row]), int(table.end_us[row]), float(similarity)
        )
        for place, (row, similarity) in best.items()
    ]
    how = "a tenth of the index searched" if is_large else "all compared"
    caption = (
        f"Nearest of {amounts.counted(len(table.paths), 'row')} of "
        f"{amounts.counted(len(set(table.paths)), 'video')} in {index}, {how}, and of each video "
        "the nearest row alone; the number is the cosine similarity of embeddings."
    )
    return Found(matches, asked, caption)


def _best_of_each(nearby, embedding, places, *, is_query, count):
    """The nearest row of each video and its similarity, by place."""
    wanted = count + int(is_query.sum())
    while True:
        rows, similarities = nearby.find(embedding, count=wanted)
        best = {}
        for row, similarity in zip(rows, similarities, strict=True):
            if not is_query[row]:
                best.setdefault(places[row], (row, similarity))
        if len(best) >= count or len(rows) < wanted:
            return dict(itertools.islice(best.items(), count))
        wanted *= 2  # Many were windows of the same videos.


def _extent(start_us, end_us):
    times = f"{start_us.min() / 1e6:.1f} to {end_us.max() / 1e6:.1f} s"
    return times if len(start_us) == 1 else f"{times}, the mean of its {len(start_us)} rows"


def _mean_of_own_rows(table, is_query, *, query, index):
    if is_query.any():
        return table.embeddings[is_query].mean(axis=0)
    _refuse_unreadable(query)
    raise errors.UserError(
        f"{query!r} has no row in {index}; give --saved_model=DIR or --server=ADDRESS, the model "
        "that the table was made with, or, if the videos were moved, --folder=DIR, where the "
        "table's relative paths start."
    )


def _refuse_another_model(table, embedding, checksum, *, index):
    if checksum and table.checksum not in ("", checksum):
        raise errors.UserError(
            f"{index} was made with another model ({table.checksum}, now {checksum}); give "
            "the version that it was made with, such as --saved_model=DIR/1, or extract anew."
        )
    if embedding.shape != table.embeddings.shape[1:]:
        raise errors.UserError(
            f"The model's embeddings have {embedding.size} numbers, those of {index} "
            f"{table.embeddings.shape[1]}: it was made with another model."
        )


def _refuse_unreadable(query):
    """Looks at a video's beginning: no model helps with what does not decode."""
    try:
        video.read_video(query, settings=video.Settings(min_frames=1), end_us=_BEGINNING_US)
    except video.VideoError as error:
        raise errors.UserError(f"--query={query} is no video that can be read: {error}.") from error


def run(given: flags.FlagValues) -> int:
    """Searches for what the flags name; returns the exit code."""
    return commands.exit_code(
        lambda: _search_and_write(given), interrupted="Interrupted; no page was written."
    )


def _search_and_write(given):
    if not (given.index and given.query and given.output):
        raise errors.UserError("give --index=FILE, --query=VIDEO and --output=FILE.html")
    for option in ("index", "query", "output"):
        filesystems.refuse_remote(given[option].value, option=f"--{option}")
    if not os.path.exists(given.query):
        raise errors.UserError(f"No such video: {given.query!r}.")
    outputs.refuse_unwritable(given.output)
    embedding, checksum = _embedding(given)
    found = search(
        given.index,
        given.query,
        embedding,
        count=given.count,
        checksum=checksum,
        folder=given.folder,
    )
    text = search_page.render(given.query, found.matches, asked=found.asked, caption=found.caption)
    with outputs.whole_file(given.output) as file:
        file.write(text.encode())
    print(f"Asked for: {annotations.printable(given.query)}, {found.asked}")
    for match in found.matches:
        start, end = match.start_us / 1e6, match.end_us / 1e6
        print(f"{match.similarity:.3f}  {match.path}  {start:.1f} to {end:.1f} s")
    print(f"Page: {given.output}")


def _embedding(given):
    """Of the query, and the checksum of the model; None and "" where none is named."""
    if not (given.saved_model or given.server):
        return None, ""
    model = connect.connect(
        saved_model=given.saved_model, server=given.server, model_name=given.model_name
    )
    options = extraction.Options(temporal_stride=given.temporal_stride)
    with contextlib.closing(model):
        found = extraction.embed(model, given.query, options=options)
        checksum = model.describe(timeout=options.asking.timeout).checksum
    if found.fault:
        print(f"read in part: {found.path}: {found.fault}", file=sys.stderr)
    return found.embeddings[0], checksum


def define_flags(values: flags.FlagValues) -> None:
    """Other commands have flags of the same names, so a mere import defines none here."""
    texts = {
        "index": (None, "A table that serving.extract wrote."),
        "query": (None, "A video; if it has rows in the table, no model is needed."),
        "saved_model": ("", "The model that the table was made with, or"),
        "server": ("", "where TensorFlow Serving has it: grpc://HOST:PORT, http://HOST:PORT."),
        "model_name": ("cvrl", "What the server calls the model."),
        "folder": ("", "Where relative paths of the table start, if not where extract was run."),
        "output": ("search.html", "The page."),
    }
    for name, (default, text) in texts.items():
        flags.DEFINE_string(name, default, text, flag_values=values)
    flags.DEFINE_integer(
        "temporal_stride",
        0,
        "Frames from one of a clip to the next; 0: as the model says.",
        lower_bound=0,
        flag_values=values,
    )
    flags.DEFINE_integer("count", 12, "Matches.", lower_bound=1, flag_values=values)


if __name__ == "__main__":
    define_flags(flags.FLAGS)
    app.run(lambda _: commands.leave(run(flags.FLAGS)), flags_parser=commands.parse_flags)
