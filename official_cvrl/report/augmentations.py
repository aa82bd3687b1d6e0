# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The augmentation that a run's settings name."""

import dataclasses

from official_cvrl.data import augment
from official_cvrl.report import settings as settings_lib

_PRESETS = (
    augment.crop_flip_only,
    augment.no_spatial,
    augment.paper,
    augment.published,
    augment.rand_augment,
)
_PRESET_OF = {f"augment.{preset.__name__}": preset for preset in _PRESETS}


def read(settings: settings_lib.Settings, name: str) -> augment.Augmentation:
    """Returns what is bound to a name, as `pretrain.Pretraining.augmentation`.

    Raises:
        ValueError: nothing, or something that a page cannot make.
    """
    bound = str(settings.value(name, ""))
    made = bound.removeprefix("@").removesuffix("()")
    if made in _PRESET_OF:
        return _PRESET_OF[made]()
    if made != "augment.Augmentation":  # Of one in a scope the numbers are bound elsewhere.
        raise ValueError(
            f"its augmentation is {bound or 'missing'}, and this page knows augment.Augmentation, "
            f"{', '.join(_PRESET_OF)}"
        )
    names = [field.name for field in dataclasses.fields(augment.Augmentation)]
    values = {name: settings.value(f"augment.Augmentation.{name}") for name in names}
    return augment.Augmentation(**{n: v for n, v in values.items() if v is not None})
