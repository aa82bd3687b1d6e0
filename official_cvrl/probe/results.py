# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What a probe found, as JSON and as a table in Markdown."""

import json
import os
import statistics
from collections.abc import Mapping, Sequence

from official_cvrl import outputs, result_names, run_info

JSON, MARKDOWN = "results.json", "results.md"

Found = Mapping[str, tuple[Mapping[str, float], Mapping[str, object]]]


def measured(output: str) -> Sequence[str]:
    """Returns the folders of shards whose results are in a folder; none if it cannot be read."""
    try:
        with open(os.path.join(output, JSON), encoding="utf-8") as file:
            return tuple(json.load(file)["data"])
    except (OSError, ValueError, LookupError, TypeError):
        return ()


def write(output: str, found: Found, *, settings: Mapping[str, object]) -> str:
    """Writes both files; returns the table, `–` where a data set has no such measure.

    Means are of what all data sets have.

    Args:
        output: folder.
        found: what `measures.measure` returned, by folder of shards.
        settings: what it was measured with.

    Raises:
        UserError: a file cannot be written.
    """
    measured = [shares for shares, _ in found.values()]
    # Top-5 is measured of more than five classes alone.
    names = dict.fromkeys(name for shares in measured for name in shares)
    means = {
        name: statistics.mean(shares[name] for shares in measured)
        for name in names
        if all(name in shares for shares in measured)
    }
    content = {
        "measures": means,
        "settings": settings,
        "data": {
            folder: {"measures": shares, **notes} for folder, (shares, notes) in found.items()
        },
    }
    run_info.write_json(os.path.join(output, JSON), content)
    text = _table(found, names, means)
    with outputs.whole_file(os.path.join(output, MARKDOWN), setting="--output=DIR") as file:
        file.write(f"{text}\n".encode())
    return text


def _table(found, names, means):
    measured = [shares for shares, _ in found.values()]
    names_of_rows = (name.replace("|", r"\|") for name in _short(list(found)))
    rows = [*zip(names_of_rows, measured, strict=True)]
    if len(rows) > 1:
        rows.append(("mean", means))
    lines = [
        f"| data | {' | '.join(map(result_names.title, names))} |",
        f"|---|{'---|' * len(names)}",
        *(f"| {row} | {' | '.join(_percent(of.get(n)) for n in names)} |" for row, of in rows),
    ]
    return "\n".join(lines)


def _short(folders):
    """The ends of paths, as long as they have to be to differ."""
    parts = [folder.rstrip("/").split("/") for folder in folders]
    for length in range(1, max(map(len, parts)) + 1):
        ends = ["/".join(part[-length:]) for part in parts]
        if len(set(ends)) == len(ends):
            break
    return ends


def _percent(share):
    return "–" if share is None else f"{share:.1%}"
