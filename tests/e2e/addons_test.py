# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A run with an optimizer of tensorflow-addons, out of its gin file; second stack only."""

import numpy as np
import tensorflow as tf

from official_cvrl import experiment, gin_reach, gin_utils
from tests.e2e import conftest

_LAMB = "tf215/pretrain_lamb.gin"


def test_every_binding_is_used_and_every_argument_bound():
    gin_utils.parse([_LAMB])
    selector = gin_utils._registered(experiment.run).selector
    reach = gin_reach.walk({selector: {"mode", "model_dir"}}, gin_utils._parsed.ledger)
    assert gin_reach.faults(reach, gin_utils._parsed.ledger) == []


def test_lamb_trains_and_its_moments_are_in_the_checkpoint(tmp_path, records):
    done = conftest.train(_LAMB, model_dir=tmp_path, data_dir=records, mode="train")
    assert done.returncode == 0, done.stderr
    assert "addons.LAMB.weight_decay = " in (tmp_path / "config.gin").read_text()
    reader = tf.train.load_checkpoint(str(tmp_path / "ckpt-12"))
    moments = [name for name in reader.get_variable_to_shape_map() if "OPTIMIZER_SLOT" in name]
    assert {name.split("/optimizer/")[1].split("/")[0] for name in moments} == {"m", "v"}
    assert all(np.any(reader.get_tensor(name)) for name in moments)
