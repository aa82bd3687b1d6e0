# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The section that shows how views are made: a clip augmented, and the intervals between clips."""

from official_cvrl.report import curves, figures, markup, views_made

_TITLE = "How views are made"
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 440, 220, 50, 10, 16, 40


def section(example: views_made.Example) -> markup.Markup:
    """Shows a clip raw, with a draw a frame, a draw a clip (Figure 7), and intervals (Figure 3)."""
    rows = [
        markup.element(
            "div",
            markup.element("span", name),
            figures.film(jpeg, num_frames=count, spoken=f"The clip, {name}"),
            class_="row wider",
        )
        for name, (jpeg, count) in example.strips.items()
    ]
    caption = (
        f"The middle clip of {example.name}: as it is, augmented with a draw for each frame, and "
        "with one draw for the clip, which leaves motion what it is. The run's settings say which "
        "of the two it trained with."
    )
    shown = [markup.element("figure", *rows)]
    if example.intervals:
        shown.append(_intervals(example.intervals))
    return markup.element(
        "section",
        markup.element("h2", _TITLE),
        markup.element("p", caption),
        markup.element("div", *shown, class_="pairs"),
    )


def missing(reason: str) -> markup.Markup:
    """Says why the section is not on this page."""
    return markup.element(
        "section",
        markup.element("h2", _TITLE),
        markup.element("p", f"Not on this page: {reason}", class_="missing"),
    )


def _intervals(found):
    # A bin's width in frames, as not all bins are of one width.
    widths = [b - a for a, b in zip(found.edges, found.edges[1:], strict=False)]
    measured, expected = found.measured / widths, found.expected / widths
    ticks = curves.ticks(0.0, max(*measured, *expected), most=5)

    def x(frames):
        return round(_LEFT + frames / found.num_positions * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(share):
        return round(_HEIGHT - _BOTTOM - share / ticks[-1] * (_HEIGHT - _BOTTOM - _TOP), 1)

    drawn = markup.element(
        "svg",
        *_axes(ticks, x, y, found.num_positions),
        *_bars(found.edges, measured, x, y),
        markup.element("path", d=_stairs(found.edges, expected, x, y), class_="expected"),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        aria_label=f"Histogram of intervals, {found.trend}",
    )
    power = f", power {found.power:g}" if found.trend != "uniform" else ""
    caption = (
        f"Frames between the beginnings of the two clips ({found.trend}{power}) of a video with "
        f"{found.num_positions} places for a clip. Bars: 4,000 draws; line: equation 2."
    )
    return markup.element(
        "figure", drawn, markup.element("figcaption", caption), class_="intervals"
    )


def _axes(ticks, x, y, num_positions):
    for tick in ticks:
        place = y(tick)
        yield markup.element("path", d=f"M{_LEFT} {place}H{_WIDTH - _RIGHT}", class_="grid")
        yield markup.element(
            "text", f"{100 * tick:.3g}%", x=_LEFT - 6, y=place + 4, text_anchor="end"
        )
    for frames in curves.ticks(0, num_positions, most=6):
        if frames <= num_positions:
            below = _HEIGHT - _BOTTOM + 18
            yield markup.element("text", f"{frames:g}", x=x(frames), y=below, text_anchor="middle")
    yield markup.element("text", "frames", x=_WIDTH - _RIGHT, y=_HEIGHT - 4, text_anchor="end")


def _bars(edges, measured, x, y):
    for start, end, share in zip(edges, edges[1:], measured, strict=False):
        yield markup.element(
            "rect",
            x=x(start),
            y=y(share),
            width=max(0.5, round(x(end) - x(start) - 1, 1)),
            height=round(y(0) - y(share), 1),
        )


def _stairs(edges, expected, x, y):
    steps = zip(edges, edges[1:], expected, strict=False)
    return f"M{x(edges[0])} {y(0)}" + "".join(f"V{y(s)}H{x(end)}" for _, end, s in steps)
