# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A small program for gin to configure, as the text of a module that tests write and import."""

MODULE = '''
"""A toy run with the shapes of a real one: configs as instances, makers of variables uncalled."""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """A config that is passed as an instance."""

    blur: float = 0.5
    ranges: tuple = (0.3, 1.0)
    gamma: object = 1.0

    def __post_init__(self):
        if self.gamma > 3:
            raise ValueError(f"gamma={self.gamma} must be at most 3.")
        if self.blur > 1:
            raise ValueError(f"blur must be in [0, 1], got {self.blur}")


def sgd(*, learning_rate: float | tf.Tensor, momentum=0.9):
    return ("sgd", learning_rate, momentum)


def lars(*, learning_rate=1.0):
    return ("lars", learning_rate)


class Backbone(tf.keras.layers.Layer):
    """Makes variables, so it is passed uncalled."""

    def __init__(self, depth=50, options=None, **kwargs):
        super().__init__(**kwargs)
        self.depth = depth
        self.options = options


class Task:
    def __init__(self, *, backbone, augmentation: Augmentation | None = None, temperature=0.1,
                 build_late=False):
        self.augmentation = augmentation
        self.temperature = temperature
        self.backbone = backbone if build_late else backbone()

    def build(self):
        self.backbone = self.backbone()


def run(*, task, model_dir="runs", num_steps=1, optimizer=None, mode="train", evaluate=None,
        on_built=lambda: None):
    if mode == "train" and optimizer:
        optimizer()
    if callable(task.backbone) and not isinstance(task.backbone, Backbone):
        task.build()
    on_built()
    if num_steps < 1:
        raise ValueError(f"num_steps={num_steps} must be at least 1.")
    if mode == "fail":
        raise RuntimeError("a programmer's mistake")
    return dict(task=task, model_dir=model_dir, num_steps=num_steps, mode=mode, evaluate=evaluate)


def run_stubbornly(*, maker=lars):
    return maker(learning_rate=2.0)
'''
