# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The model card of any run: wherever it lies, whatever its paths and names hold."""

import dataclasses
import types

import pytest

from official_cvrl import filesystems, origin, run_info
from official_cvrl.serving import model_card
from tests.report import conftest as runs

_SIGNATURES = types.SimpleNamespace(dtype="float32", xla=False, num_parameters=1000, contract=dict)


def _card(model_dir, saved_model, *, checkpoint=None, **changes):
    info = dataclasses.replace(run_info.read(model_dir), **changes)
    return model_card.text(
        str(saved_model),
        model_dir=model_dir,
        info=info,
        checkpoint=checkpoint or f"{model_dir}/ckpt-30",
        signatures=_SIGNATURES,
        seconds={"multi_view": 1.5},
    )


@pytest.mark.parametrize("scheme", ["", "ram://"])
def test_a_run_here_or_elsewhere(scheme, tmp_path):
    here = runs.write_run(tmp_path / "run", data_dir="nowhere", results={"top1": 0.5})
    model_dir = f"{scheme}{here}/"
    for name in ("run.json", "results.json", "config.gin"):
        path = filesystems.openable_path(f"{model_dir}{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text((tmp_path / "run" / name).read_text())
    card = _card(model_dir, tmp_path)
    assert card.startswith("# run\n")
    assert "| top1 | 0.5 |" in card
    assert "Records in `nowhere`, which could not be read" in card
    assert card.endswith(f"## Configuration\n\n```\n{runs.PRETRAINING.strip()}\n```\n")


def test_results_of_other_weights_are_not_those_of_the_exported(tmp_path):
    run = runs.write_run(tmp_path / "run", data_dir="nowhere", results={"top1": 0.5})
    assert "evaluation, of these weights (step 30), on its test split" in _card(run, tmp_path)
    for other in (f"{run}/ckpt-40", f"{tmp_path}/another/ckpt-30"):
        card = _card(run, tmp_path, checkpoint=other)
        assert "| top1 |" not in card
        assert "there are none: the run's last evaluation is of its step 30" in card
    (tmp_path / "run" / "results.json").write_text('{"top1": 0.5}')  # As earlier versions wrote it.
    card = _card(run, tmp_path, checkpoint=f"{run}/ckpt-40")
    assert "| top1 | 0.5 |" in card
    assert "which does not say of which step" in card


def test_values_neither_break_tables_nor_become_html(tmp_path):
    nasty = "a|b\n<img src=x>`"
    records = runs.write_records(tmp_path / nasty / "records")
    run = runs.write_run(
        tmp_path / nasty / "<run>|",
        data_dir=records,
        results={nasty: 0.5},
        config=f"x = '```{nasty}'",
    )
    card = _card(run, tmp_path, origin=origin.Origin(nasty, nasty), version=nasty)
    before, _, after = card.partition("## Configuration")
    assert after == f"\n\n````\nx = '```{nasty}'\n````\n"
    assert before.startswith("# &#60;run&#62;&#124;\n")
    assert "<img" not in before
    assert "&#60;img src=x&#62;" in before
    assert "| train | 6 | 2 |" in before
    rows = [line for line in before.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} <= {3, 4}
