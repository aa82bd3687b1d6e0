# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A silent server is asked again, a clear no is believed the second time."""

import threading
import time

import pytest

from official_cvrl.serving import client, patience


def _question(*faults):
    left = list(faults)

    def ask():
        if left:
            raise left.pop(0)
        return "answer"

    return ask, left


def test_asks_until_there_is_an_answer_and_says_why_once():
    said = []
    ask, _ = _question(client.Unavailable("cut"), client.Unavailable("cut again"))
    assert patience.Patience(60, say=said.append).ask(ask) == "answer"
    assert said == ["cut"]


def test_gives_up_with_the_last_reason():
    ask, left = _question(*[client.Unavailable(str(n)) for n in range(99)])
    with pytest.raises(patience.GaveUp, match=r"^[1-9]$"):
        patience.Patience(0.15, say=lambda _: None).ask(ask)
    assert left


def test_a_refusal_may_be_a_neighbours_fault_the_first_time():
    ask, _ = _question(client.Refused("shape"))
    assert patience.Patience(60, say=lambda _: None).ask(ask) == "answer"
    ask, left = _question(*[client.Refused("shape")] * 3)
    with pytest.raises(client.Refused, match="shape"):
        patience.Patience(60, say=lambda _: None).ask(ask)
    assert len(left) == 1


def test_stop_ends_the_waiting():
    patient = patience.Patience(600, say=lambda _: None)
    threading.Timer(0.3, patient.stop).start()
    start = time.monotonic()
    with pytest.raises(patience.Stopped):
        patient.ask(_question(*[client.Unavailable("")] * 99)[0])
    assert time.monotonic() - start < 30
