# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What train.py would refuse of a gin file and its bindings, refused before the first cell."""

from collections.abc import Sequence

from official_cvrl import errors, experiment, gin_utils
from official_cvrl.sweep import cells

# What train.py hands over itself.
GIVEN = ("mode", "model_dir", "data_dir", "profile", "on_built", "save_config")


def refuse(planned: Sequence[cells.Cell]) -> None:
    """Reads each gin file with each set of bindings once, as train.py will.

    Raises:
        UserError: there is no such gin file, or a name in it or in a binding stands for nothing;
            names the nearest that does.
    """
    asked = {
        (stage.gin_file, (*stage.params, *(["run.pretrained = ''"] if before else [])))
        for cell in planned
        for stage, before in zip(cell.stages, [None, *cell.stages], strict=False)
    }
    for gin_file, params in sorted(asked):
        try:
            gin_utils.parse([gin_file], params)
            gin_utils.refuse_unusable(experiment.run, given=GIVEN)
        except errors.UserError as error:
            raise errors.UserError(f"{gin_file}, as a cell would have it: {error}") from error
