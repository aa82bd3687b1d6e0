# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The wiring room: data, task, optimizer and trainer, put together and run."""

import itertools
import os
from collections.abc import Callable, Mapping
from typing import Any

from official_cvrl import (
    checkpoints,
    embedded,
    errors,
    filesystems,
    origin,
    result_names,
    run_info,
    trainer,
    workers,
)
from official_cvrl import runtime as runtime_lib
from official_cvrl.data import feed

MODES = ("train", "eval", "train_and_eval")


def run(
    *,
    mode: str,
    model_dir: str,
    data_dir: str = "",
    embedded_data: str = "classes",
    task: Callable[..., trainer.Task],
    runtime: runtime_lib.Runtime,
    loop: trainer.Loop,
    global_batch_size: int,
    train_input: Callable[..., Any],
    test_input: feed.TestInput | None = None,
    probe_input: feed.TestInput | None = None,
    train_split: str = "train",
    test_split: str = "test",
    train_subset: float = 1.0,
    subset_seed: int = 0,
    data_service: str = "",
    pretrained: str = "",
    seed: int = 0,
    profile: bool = False,
    on_built: Callable[[], None] = lambda: None,
    save_config: Callable[..., Any] = lambda model_dir, **state: None,
) -> Mapping[str, float]:
    """Trains and evaluates one task.

    Args:
        mode: "train", "eval" (the newest checkpoint) or "train_and_eval".
        model_dir: folder for checkpoints, summaries, configuration and results; a run found there
            goes on.
        data_dir: folder of shards; "" for an embedded data set.
        embedded_data: which, see `embedded.records`.
        task: makes the task from a strategy and a feed.
        runtime: strategy and precision.
        loop: how the run proceeds.
        global_batch_size: videos in a training batch over all replicas.
        train_input: see `feed.Feed`, also for the next four.
        test_input: batches of test views.
        probe_input: batches of single views.
        train_split: shards to train on.
        test_split: shards to test on.
        train_subset: share of each class of `train_split` to train on, at least one video of each.
        subset_seed: which share; the same for all values of `seed`, unless it is bound, too.
        data_service: `grpc://HOST:PORT` of a tf.data service that makes the training batches
            (`python -m official_cvrl.data_service`); "" to make them here.
        pretrained: whose backbone to start from: a checkpoint (ours or published), a run's folder,
            the name of a run beside this one, or a file of Keras's ResNet50 or ResNet101; "" for
            random weights.
        seed: of initialisation, shuffling and augmentation.
        profile: whether to write a TensorBoard profile of a few training steps.
        on_built: called once everything is made and before the first step; may refuse to go on.
        save_config: called after that, unless mode is "eval", with the training batches made, too;
            with the run's folder, and whether the run was `begun` (a checkpoint was found in it)
            and `finished` (nothing is left to train).

    Returns:
        The last evaluation's measures by name; empty after mode "train".

    Raises:
        UserError: something the user gave is wrong.
        trainer.Interrupted: a signal asked the run to stop.
    """
    if mode not in MODES:
        raise ValueError(f"mode={mode!r} must be one of {', '.join(MODES)}.")
    if profile and mode == "eval":
        raise errors.UserError("--profile is of training steps, and --mode=eval takes none.")
    data_dir = data_dir or embedded.records(embedded_data)
    strategy = runtime.start(seed=seed)
    print(runtime.devices(strategy), flush=True)
    source = feed.Feed(
        data_dir=filesystems.absolute(data_dir),
        strategy=strategy,
        global_batch_size=global_batch_size,
        seed=seed,
        train_input=train_input,
        test_input=test_input,
        probe_input=probe_input,
        train_split=train_split,
        test_split=test_split,
        train_subset=train_subset,
        subset_seed=subset_seed,
        data_service=data_service if mode != "eval" else "",
    )
    if mode == "eval" and not filesystems.openable_path(model_dir).is_dir():
        raise _nothing_to_evaluate(model_dir)
    _refuse_unwritable(model_dir)
    if workers.Workers(strategy).this_is_chief:  # Each worker may keep the data elsewhere.
        _refuse_other_data(model_dir, source, mode=mode)
    if mode != "eval":
        source.check_train()
    with strategy.scope():
        built = task(strategy=strategy, feed=source)
    outer = trainer.Trainer(
        task=built, strategy=strategy, model_dir=model_dir, loop=loop, profile=profile
    )
    step = outer.restore()
    if not step and mode != "eval" and run_info.read(model_dir):
        _say_that_it_begins_anew(loop, model_dir)
    if mode == "eval" and not step:
        raise _nothing_to_evaluate(model_dir)
    begun_from = _begun_from(built.backbone, pretrained, model_dir, mode=mode, step=step)
    if mode != "train":
        built.check_evaluation()
    on_built()
    folder = workers.Workers(strategy).folder(model_dir)

    def on_begin():
        # A run is described by what it was trained with, and once nothing is left to be refused.
        _make(folder)
        save_config(folder, begun=step > 0, finished=step >= loop.train_steps)
        info = _describe(built, source, test_input or probe_input, begun_from)
        run_info.write(folder, info)
        _say_where_it_goes_on(step, loop, model_dir)

    if mode != "eval":
        outer.train(evaluate=mode == "train_and_eval", on_begin=on_begin)
    else:
        print(f"Evaluates step {step} of {model_dir}.", flush=True)
    return _evaluated(outer, folder, built) if mode != "train" else {}


def _say_where_it_goes_on(step, loop, model_dir):
    if step >= loop.train_steps:
        print(f"Finished before, at step {step}, in {model_dir}.", flush=True)
    elif step:
        print(f"Goes on from step {step} in {model_dir}.", flush=True)


def _say_that_it_begins_anew(loop, model_dir):
    print(
        f"No checkpoint in {model_dir} yet: begins anew. One is written every "
        f"{loop.checkpoint_interval} steps (Loop.checkpoint_interval).",
        flush=True,
    )


def _begun_from(backbone, pretrained, model_dir, *, mode, step):
    """Loads the backbone of a run that begins; finds out where that of one that goes on began."""
    if not step:
        return origin.load(backbone, pretrained, model_dir=model_dir)
    before = run_info.read(model_dir)
    if before is None:
        raise errors.UserError(
            f"{model_dir} has checkpoints, but {os.path.join(model_dir, 'run.json')}, which says "
            "what they were trained on, is gone. Bring it back from a copy, or give another "
            f"--model_dir; --gin_param=\"run.pretrained = '{model_dir}'\" begins a run there with "
            "the backbone of this one."
        )
    if mode != "eval":
        origin.refuse_other(before.origin, pretrained, model_dir=model_dir)
    return before.origin


def _evaluated(outer, model_dir, task):
    results, num_tested = dict(outer.evaluate()), task.num_tested
    if results:
        step = int(task.optimizer.iterations.numpy())
        run_info.write_results(model_dir, results, step=step)
    if num_tested and (said := result_names.told_of_few(num_tested)):
        print(said, flush=True)
    return results


def _nothing_to_evaluate(model_dir):
    return errors.UserError(f"No checkpoint in {model_dir} to evaluate; train first.")


def _refuse_unwritable(model_dir):
    """Looks without making the folder: what is refused later leaves nothing behind."""
    if filesystems.scheme(model_dir):
        filesystems.openable_path(model_dir)  # Refuses what cannot be opened.
        return
    place = os.path.abspath(model_dir)
    while not os.path.lexists(place):  # A link whose target is not mounted is there, too.
        place = os.path.dirname(place)
    if not os.path.exists(place):
        raise _unwritable(model_dir, f"{place} links to what is not there")
    if not os.path.isdir(place):
        raise _unwritable(model_dir, f"{place} is no folder")
    if not os.access(place, os.W_OK):
        raise _unwritable(model_dir, f"no permission to write in {place}")


def _make(folder):
    """Some folders only refuse when they are written to, such as those in /proc."""
    try:
        filesystems.openable_path(folder).mkdir(parents=True, exist_ok=True)
    except Exception as error:
        if not filesystems.is_fault(error):
            raise
        raise _unwritable(folder, errors.words(error)) from error


def _unwritable(model_dir, reason):
    return errors.UserError(
        f"The run's folder {model_dir!r} cannot be written: {reason}. Give another --model_dir."
    )


def _refuse_other_data(model_dir, source, *, mode):
    before = run_info.read(model_dir)
    if before and before.data_dir != source.data_dir:
        raise errors.UserError(
            f"{model_dir} holds a run on {before.data_dir}, not on {source.data_dir}. Give another "
            "--model_dir, or remove that folder."
        )
    if before and checkpoints.listed(model_dir):  # Without one the run begins anew.
        _refuse_changed_labels(model_dir, before, source)
        if mode != "eval":
            _refuse_changed_shards(model_dir, before, source)


def _refuse_changed_labels(model_dir, before, source):
    if not before.label_names:
        return
    both = (map(repr, names) for names in (before.label_names, source.label_names))
    pairs = itertools.zip_longest(*both, fillvalue="nothing")
    for label, (old, new) in enumerate(pairs):
        if old != new:
            there = os.path.join(source.data_dir, "labels.txt")
            raise errors.UserError(
                f"{model_dir} holds a run whose label {label} is {old}; {there} calls it {new} "
                "now. Bring the labels back, or give another --model_dir."
            )


def _refuse_changed_shards(model_dir, before, source):
    if before.train_data and before.train_data != source.train_data:
        raise errors.UserError(
            f"{model_dir} holds a run on {before.train_data}; {source.data_dir} holds "
            f"{source.train_data} now, so the run cannot go on where it was. Bring those records "
            "back, or give another --model_dir; --mode=eval tests what was trained."
        )


def _describe(built, source, shown, begun_from):
    classifier, action_head = (getattr(built, name, None) for name in ("classifier", "action_head"))
    return run_info.RunInfo(
        data_dir=source.data_dir,
        backbone=built.backbone.get_config(),
        clip=shown.clip if shown else None,
        origin=begun_from,
        classifier=classifier and classifier.get_config(),
        action_head=action_head and action_head.get_config(),
        label_names=source.label_names if classifier or action_head else (),
        key_frames=getattr(shown, "settings", None) if action_head else None,
        frozen=getattr(built, "frozen", None),
        train_data=source.train_data,
    )
