# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What a probe found, as JSON and as a table in Markdown."""

import os
import statistics
from collections.abc import Mapping

from official_cvrl import outputs, run_info

JSON, MARKDOWN = "results.json", "results.md"
_TITLES = {"knn_top1": "kNN top-1", "linear_top1": "linear top-1", "linear_top5": "linear top-5"}

Found = Mapping[str, tuple[Mapping[str, float], Mapping[str, object]]]


def write(output: str, found: Found, *, settings: Mapping[str, object]) -> str:
    """Writes both files; returns the table.

    Args:
        output: folder.
        found: what `measures.measure` returned, by folder of shards.
        settings: what it was measured with.

    Raises:
        UserError: a file cannot be written.
    """
    names = list(next(iter(found.values()))[0])
    means = {name: statistics.mean(shares[name] for shares, _ in found.values()) for name in names}
    content = {
        "measures": means,
        "settings": settings,
        "data": {
            folder: {"measures": shares, **notes} for folder, (shares, notes) in found.items()
        },
    }
    run_info.write_json(os.path.join(output, JSON), content)
    text = _table(found, means)
    with outputs.whole_file(os.path.join(output, MARKDOWN), setting="--output=DIR") as file:
        file.write(f"{text}\n".encode())
    return text


def _table(found, means):
    rows = [(os.path.basename(folder), shares) for folder, (shares, _) in found.items()]
    if len(rows) > 1:
        rows.append(("mean", means))
    lines = [
        f"| data | {' | '.join(map(_title, means))} |",
        f"|---|{'---|' * len(means)}",
        *(f"| {name} | {' | '.join(map(_percent, shares.values()))} |" for name, shares in rows),
    ]
    return "\n".join(lines)


def _title(name):
    return _TITLES.get(name) or name.replace("retrieval_at_", "R@")


def _percent(share):
    return f"{share:.1%}"
