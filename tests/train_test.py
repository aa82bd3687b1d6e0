# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Which settings a run may go on with changed."""

import pytest

import train
from official_cvrl import errors, gin_utils

# Defaults, which a run writes down, too.
_RUN = (
    "experiment.run.data_service = ''",
    "experiment.run.train_split = 'train'",
    "runtime.Runtime.strategy = 'auto'",
)


@pytest.mark.parametrize(
    ("param", "may_change"),
    [
        ("TRAIN_STEPS = 7", True),
        ("trainer.Loop.eval_interval = 7", True),
        ("runtime.Runtime.strategy = 'one_device'", True),
        # Its message says that a run goes on without it.
        ("experiment.run.data_service = 'grpc://localhost:1'", True),
        ("GLOBAL_BATCH_SIZE = 7", False),
        ("LEARNING_RATE = 7.0", False),
        ("SEED = 7", False),
        ("AUGMENTATION = @augment.published()", False),
        ("experiment.run.train_split = 'validate'", False),
        ("pretrain.Pretraining.optimizer = @optimizers.sgd", False),
        ("two_view_batches.num_frames = 7", False),
        ("heads.ProjectionHead.output_dim = 7", False),
        ("optimizers.warmup_cosine.warmup_steps = 7", False),
    ],
)
def test_a_run_goes_on_with_other_settings_where_its_numbers_stay(tmp_path, param, may_change):
    save = {"may_change": train._MAY_CHANGE_IN_A_RUN}
    gin_utils.parse(["pretrain.gin"], _RUN)
    gin_utils.save_operative_config(str(tmp_path), **save)
    gin_utils.parse(["pretrain.gin"], [*_RUN, param])
    if may_change:
        gin_utils.save_operative_config(str(tmp_path), **save)
    else:
        with pytest.raises(errors.UserError, match="holds a run with other settings"):
            gin_utils.save_operative_config(str(tmp_path), **save)
