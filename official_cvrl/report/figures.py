# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The curves of a run, and the first clips it saw."""

from collections.abc import Collection, Mapping

from official_cvrl.report import curves as curves_lib
from official_cvrl.report import events, facts, markup, measures, pictures, runs

_IN_FACTS = {"clips_per_second", "input_wait_share"}
_PARTS_OF_LOSS = {"contrastive_loss", "classification_loss", "detection_loss"}


def curves(
    run: runs.Run, train: events.Events, test: events.Events, data: Mapping[str, facts.Data]
) -> markup.Markup:
    """Returns a chart for each scalar that was written more than once and is not zero all along.

    Args:
        run: whose page it is.
        train: its training events.
        test: its evaluation events.
        data: see `facts.read_data`.
    """
    left_out = hidden(train.scalars)
    found = [
        (tag, side, series)
        for side, part in (("train", train), ("test", test))
        for tag, series in part.scalars.items()
        if tag not in left_out and len(series.steps) > 1 and series.values.any()
    ]
    found.sort(key=lambda item: place(item[0]))
    if not found:
        return markup.section("Curves", _why_none({**train.scalars, **test.scalars}))
    num_classes = data[run.info.data_dir].num_classes
    together = _train_and_test(run, found)
    charts = [_both(*together, num_classes)] if together else []
    charts += [
        _chart(run, tag, side, series, num_classes)
        for tag, side, series in found
        if not (together and tag in ("accuracy", "top1"))
    ]
    return markup.section(
        "Curves",
        "Blue is training, each point the mean since the point before; orange is the test videos. "
        "Point at a curve, or use the arrow keys, to read it.",
        markup.element("div", *charts, class_="charts"),
    )


def _why_none(scalars):
    if not scalars:
        return "There are none: nothing was written down in train/ and eval/."
    step = max(series.steps[-1] for series in scalars.values())
    return (
        "There are none: a curve needs two points, and nothing but zero was written down twice up "
        f"to step {step:,}. A longer run, or a smaller summary_interval, has more."
    )


def hidden(tags: Collection[str]) -> Collection[str]:
    """Returns which of a run's scalars get no chart: in the facts, or the sum of what is shown."""
    return _IN_FACTS | ({"loss"} if _PARTS_OF_LOSS & set(tags) else set())


def clips(train: events.Events) -> markup.Markup:
    """Returns the pictures of the first batch, if it left any."""
    if "view_pairs" in train.pictures:
        return markup.section(
            "Views",
            "Videos of the first batch, each as two views: clips of two moments, cropped, flipped "
            "and recoloured at random; the model learns that the two belong together.",
            _strips(train.pictures["view_pairs"], names=("view 1", "view 2")),
        )
    if "clips" in train.pictures:
        return markup.section(
            "Clips",
            "Clips of the first batch, as the model saw them.",
            _strips(train.pictures["clips"], names=("clip",)),
        )
    return markup.Markup("")


def film(jpeg: bytes, *, num_frames: int, spoken: str) -> markup.Markup:
    """Returns a film strip whose frames are set apart.

    Args:
        jpeg: see `pictures.strip`.
        num_frames: frames in it.
        spoken: what is said instead of the picture.
    """
    image = markup.element("img", src=pictures.data_uri(jpeg), alt=spoken)
    return markup.element("div", image, class_="strip", style=f"--n:{num_frames}")


def moving(jpeg: bytes, *, num_frames: int, spoken: str) -> markup.Markup:
    """Returns a film strip seen through a hole of one frame, behind which it moves.

    Args:
        jpeg: see `pictures.strip`.
        num_frames: frames in it.
        spoken: what is said instead of the picture.
    """
    image = markup.element("img", src=pictures.data_uri(jpeg), alt=spoken)
    return markup.element("div", image, class_="moving", style=f"--n:{num_frames}")


def place(tag: str) -> tuple[int, str]:
    """Returns where a scalar stands among the others, as a key to sort by."""
    # The loss and its accuracy first, then what is measured on test videos.
    order = (
        *("contrastive_loss", "classification_loss", "detection_loss", "loss", "accuracy"),
        *("frame_map", "knn_top1", "top1", "top5", "entropy", "regularization_loss"),
    )
    return (order.index(tag) if tag in order else len(order), tag)


def _train_and_test(run, found):
    """A classifier's accuracy in training and its top-1, if both are there (Figure 6)."""
    by_tag = {tag: series for tag, _, series in found}
    if run.is_classification and {"accuracy", "top1"} <= by_tag.keys():
        return by_tag["accuracy"], by_tag["top1"]
    return None


def _both(train, test, num_classes):
    measure = measures.describe("top1")
    guess = measures.guess("top1", num_classes=num_classes)
    lines = [
        curves_lib.Line(train, "training", "train dashed"),
        curves_lib.Line(test, "test", "test"),
    ]
    last = markup.element("b", measure.shown(test.values[-1]))
    return markup.element(
        "figure",
        markup.element(
            "h3",
            markup.element("span", "Top-1 in training and testing"),
            markup.element("output", f"step {test.steps[-1]:,} ", last),
        ),
        curves_lib.chart(
            lines, measure, guide=curves_lib.Guide(guess, "a guess:") if guess else None
        ),
        markup.element(
            "figcaption", "Dashed: one clip of each training video; solid: the test videos."
        ),
        class_="chart test",
    )


def _chart(run, tag, side, series, num_classes):
    measure = measures.describe(tag, contrastive=run.is_pretraining)
    guess = measures.guess(tag, num_classes=num_classes, num_candidates=facts.num_candidates(run))
    last = markup.element("b", measure.shown(series.values[-1]))
    return markup.element(
        "figure",
        markup.element(
            "h3",
            markup.element("span", measure.title),
            markup.element("output", f"step {series.steps[-1]:,} ", last),
        ),
        curves_lib.chart([curves_lib.Line(series)], measure, guide=_guide(guess)),
        markup.element("figcaption", measure.caption),
        class_=f"chart {side}",
    )


def _guide(guess):
    return None if guess is None else curves_lib.Guide(guess, "a guess:")


def _strips(sheets, *, names):
    pairs = []
    for number, sheet in enumerate(sheets, start=1):
        rows = [
            _row(name if len(names) > 1 else "", jpeg, count, f"Video {number}, {name}")
            for name, (jpeg, count) in zip(
                names, pictures.split_rows(sheet, num_rows=len(names)), strict=True
            )
        ]
        pairs.append(markup.element("figure", *rows))
    return markup.element("div", *pairs, class_="pairs")


def _row(name, jpeg, count, spoken):
    strip = film(jpeg, num_frames=count, spoken=spoken)
    label = [markup.element("span", name)] if name else []
    return markup.element("div", *label, strip, class_="row")
