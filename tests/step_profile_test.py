# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Which steps are profiled, and what lies in the run's folder afterwards."""

import glob
import os

import pytest
import tensorflow as tf

from official_cvrl import step_profile


def test_steps_come_after_the_warm_up_or_are_the_last():
    assert step_profile.profiled_steps(0, 600) == range(11, 16)
    assert step_profile.profiled_steps(300, 600) == range(311, 316)
    assert step_profile.profiled_steps(0, 12) == range(8, 13)
    assert step_profile.profiled_steps(598, 600) == range(599, 601)
    assert step_profile.profiled_steps(0, 1) == range(1, 2)


def _profiles(folder):
    return glob.glob(os.path.join(folder, "plugins/profile/*/*.xplane.pb"))


def _run(profile, steps):
    for step in steps:
        with profile.step(step):
            tf.linalg.matmul(tf.ones([8, 8]), tf.ones([8, 8]))


def test_one_profile_of_the_steps_asked_for(tmp_path, capsys):
    folder = str(tmp_path / "a run")
    _run(step_profile.StepProfile(folder, range(2, 4)), range(1, 6))
    (path,) = _profiles(folder)
    with open(path, "rb") as file:
        recorded = file.read()
    assert b"MatMul" in recorded and b"train" in recorded
    assert f"tensorboard --logdir='{folder}')" in capsys.readouterr().out


def test_nothing_is_recorded_of_no_steps(tmp_path):
    _run(step_profile.StepProfile(str(tmp_path), range(0)), range(1, 4))
    assert not os.listdir(tmp_path)


def test_what_was_recorded_before_an_interruption_is_kept(tmp_path):
    profile = step_profile.StepProfile(str(tmp_path), range(1, 9))
    with pytest.raises(KeyboardInterrupt), profile.step(1):
        raise KeyboardInterrupt
    profile.close()
    assert _profiles(tmp_path)
