# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What cells came to, as Markdown and as a picture: a row each, mean and spread over its runs."""

import html
import math
import statistics
from collections.abc import Mapping, Sequence

from official_cvrl import result_names

_WIDTH, _RIGHT, _TOP, _ROW = 720, 24, 44, 30
# Capitals, as of macros, are the widest.
_LETTER, _LARGEST_NAME = 8.0, 320

# Results by measure, of each run of a row, by the row's name.
Rows = Mapping[str, Sequence[Mapping[str, float]]]


def measures(rows: Rows) -> Sequence[str]:
    """Returns the measures that any run has; those of a known title first."""
    there = {name for runs in rows.values() for run in runs for name in run}
    known = [name for name in result_names.KNOWN if name in there]
    return [*known, *sorted(there - set(known))]


def markdown(rows: Rows, *, first: str, columns: Sequence[str]) -> str:
    """Returns a table; `±` is the standard deviation over a row's runs, `–` what was not measured.

    Args:
        rows: what was measured.
        first: heading of the column with the rows' names.
        columns: measures, shares in [0, 1].
    """
    heads = map(result_names.title, columns)
    lines = [f"| {first} | {' | '.join(heads)} |", f"|---|{'---|' * len(columns)}"]
    for name, runs in rows.items():
        cells = (mean_and_spread([run[c] for run in runs if c in run]) for c in columns)
        lines.append(f"| {name.replace('|', chr(92) + '|')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def mean_and_spread(values: Sequence[float]) -> str:
    """Returns shares as `72.6% ± 5.8%`, one alone without a spread, none as `–`."""
    if not values:
        return "–"
    mean = f"{statistics.mean(values):.1%}"
    return f"{mean} ± {statistics.stdev(values):.1%}" if len(values) > 1 else mean


def picture(rows: Rows, *, columns: Sequence[str], num_classes: int = 0) -> str:
    """Draws measures, one below the other: a dot for each run, a stroke for the mean of a row.

    Args:
        rows: at least one run among them has each of the measures.
        columns: measures, shares in [0, 1].
        num_classes: of the data, for a dashed line at what chance gives; 0: no line.

    Returns:
        An SVG file.
    """
    height = _TOP + _ROW * len(rows) + 34
    parts = []
    for place, measure in enumerate(columns):
        parts.append(f'<g transform="translate(0 {place * height})">')
        parts += _panel(rows, measure, result_names.chance(measure, num_classes=num_classes))
        parts.append("</g>")
    return _SVG.format(width=_WIDTH, height=height * len(columns), content="\n".join(parts))


def _panel(rows, measure, chance):
    values = {name: [run[measure] for run in runs if measure in run] for name, runs in rows.items()}
    known = [] if chance is None else [chance]
    ticks = _ticks([*known, *(value for row in values.values() for value in row)])
    left = min(_LARGEST_NAME, _LETTER * max(map(len, rows))) + 24
    bottom = _TOP + _ROW * len(rows) + 4

    def x(share):
        return left + (share - ticks[0]) / (ticks[-1] - ticks[0]) * (_WIDTH - left - _RIGHT)

    title = result_names.title(measure) + (f", chance {chance:.1%}" if known else "")
    yield f'<text x="{left}" y="24" class="title">{html.escape(title)}</text>'
    for tick in ticks:
        yield f'<path d="M{x(tick):.1f} {_TOP - 6}V{bottom}" class="grid"/>'
        yield f'<text x="{x(tick):.1f}" y="{bottom + 18}" class="tick">{tick:.0%}</text>'
    for share in known:
        yield f'<path d="M{x(share):.1f} {_TOP - 6}V{bottom}" class="chance"/>'
    for place, (name, row) in enumerate(values.items()):
        yield from _row(name, sorted(row), x, _TOP + _ROW * (place + 0.5), left)


def _row(name, row, x, y, left):
    most = int((left - 24) / _LETTER)
    shown = name if len(name) <= most else f"{name[: most - 1]}…"
    yield f'<text x="{left - 12}" y="{y + 4}" class="name">{html.escape(shown)}</text>'
    if row:
        yield f'<path d="M{x(row[0]):.1f} {y}H{x(row[-1]):.1f}" class="range"/>'
        yield f'<path d="M{x(statistics.mean(row)):.1f} {y - 8}v16" class="mean"/>'
    for value in row:
        yield f'<circle cx="{x(value):.1f}" cy="{y}" r="4"><title>{value:.1%}</title></circle>'


def _ticks(values):
    """Round shares from below the least to above the greatest value."""
    low, high = min(values), max(values)
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2) if (high - low) / s <= 6 or s == 0.2)
    first = math.floor(low / step + 1e-9)
    last = max(math.ceil(high / step - 1e-9), first + 1)
    return [number * step for number in range(first, last + 1)]


_SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">
<style>
  text {{ font: 13px system-ui, sans-serif; fill: #33353b; }}
  .title {{ font-weight: 600; }} .name {{ text-anchor: end; }}
  .tick {{ text-anchor: middle; fill: #62656e; font-size: 12px; }}
  .grid {{ stroke: #e4e4e1; }} .range {{ stroke: #a9bce3; stroke-width: 2; }}
  .chance {{ stroke: #62656e; stroke-dasharray: 4 4; }}
  .mean {{ stroke: #2f62c9; stroke-width: 3; }} circle {{ fill: #2f62c9; fill-opacity: 0.55; }}
</style>
<rect width="100%" height="100%" fill="#ffffff"/>
{content}
</svg>
"""
