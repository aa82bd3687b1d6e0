# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The batches of a run, by the role they play, spread over a strategy's replicas."""

import dataclasses
import hashlib
import os
import shlex
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from official_cvrl import errors, manifest
from official_cvrl.data import clip_format, faults, order, pipeline, service, subset

# Which role reads which split; "train" alone is shuffled and endless.
_SPLIT_OF_ROLE = {"train": "train", "test": "test", "probe_train": "train", "probe_test": "test"}


@dataclasses.dataclass(frozen=True)
class TestInput:
    """The views that a video is tested by.

    Attributes:
        clip: what one view is.
        num_test_clips: clips spread evenly over the video; 1 is the middle clip.
        num_test_crops: crops along the longer side; 1 is the centre.
        global_batch_size: videos that are tested at once, over all replicas; as many more as it
            takes to give each replica the same number.

    Raises:
        ValueError: a number is not positive.
    """

    clip: clip_format.ClipFormat
    num_test_clips: int
    num_test_crops: int
    global_batch_size: int

    def __post_init__(self):
        for name in ("num_test_clips", "num_test_crops", "global_batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1.")

    def batches(
        self, shards: manifest.ShardSet, *, input_context: tf.distribute.InputContext
    ) -> tf.data.Dataset:
        """Returns every video once, in order; see `pipeline.test_batches`."""
        replicas = input_context.num_replicas_in_sync
        return pipeline.test_batches(
            shards,
            num_test_clips=self.num_test_clips,
            num_test_crops=self.num_test_crops,
            global_batch_size=-(-self.global_batch_size // replicas) * replicas,
            input_context=input_context,
            **dataclasses.asdict(self.clip),
        )


@dataclasses.dataclass(frozen=True)
class Feed:
    """Makes distributed batches.

    Attributes:
        data_dir: folder of shards.
        strategy: spreads the batches over its replicas and hosts.
        global_batch_size: videos in a training batch over all replicas.
        seed: of shuffling and augmentation.
        train_input: makes the training batches: `pipeline.two_view_batches` or
            `pipeline.train_batches`, its other arguments bound, or a `detection.TrainInput`.
        test_input: the views of a video in testing; None if nothing is tested.
        probe_input: the views of a video in the kNN probe; None for no probe.
        train_split: name of the shards to train on.
        test_split: name of the shards to test on.
        data_service: `grpc://HOST:PORT` of the tf.data service that makes the training batches; ""
            for this process.
        train_subset: share of each class of the training split that is used, see `subset.keep`.
        subset_seed: which share it is.

    Raises:
        UserError: there are no such training shards, the batch does not divide by the replicas, or
            there is no such service.
        ValueError: a batch size that is not positive.
    """

    data_dir: str
    strategy: tf.distribute.Strategy
    global_batch_size: int
    seed: int
    train_input: Callable[..., tf.data.Dataset]
    test_input: TestInput | None
    probe_input: TestInput | None
    train_split: str
    test_split: str
    data_service: str = ""
    train_subset: float = 1.0
    subset_seed: int = 0
    _found: dict[str, manifest.ShardSet] = dataclasses.field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self):
        if self.global_batch_size < 1:
            raise ValueError(f"global_batch_size={self.global_batch_size} must be at least 1.")
        replicas = self.strategy.num_replicas_in_sync
        if self.global_batch_size % replicas:
            raise errors.UserError(
                f"global_batch_size={self.global_batch_size} does not divide by the {replicas} "
                "replicas of this machine; take a multiple."
            )
        # What is not there is refused before anything is made.
        self._shards("train")
        if self.data_service:
            service.refuse_idle(self.data_service)

    def batches(self, role: str, *, start_step: int = 0) -> Any:
        """Returns the distributed batches of a role.

        Args:
            role: "train" (shuffled, endless, from `start_step` on), "test" (test views of the
                test split), "probe_train" or "probe_test" (one view of each split's videos).
            start_step: training steps that were done before.

        Raises:
            UserError: the shards are missing or broken; while iterating: an example is.
        """
        part = _SPLIT_OF_ROLE[role]
        shards = self._shards(part) if part == "test" else self._share_of_train()
        tested = self.test_input if role == "test" else self.probe_input

        def make(context):
            if role != "train":
                return tested.batches(shards, input_context=context)
            made = self.train_input(
                shards,
                global_batch_size=self.global_batch_size,
                seed=self.seed,
                start_step=start_step,
                read_epochs=order.dealt_epochs if self.data_service else order.shuffled_epochs,
                input_context=context,
            )
            return service.made_by_workers(made, self.data_service) if self.data_service else made

        batches = self.strategy.distribute_datasets_from_function(make)
        if role == "train" and self.data_service:
            batches = service.while_answering(batches, self.data_service)
        return _Batches(batches, data_dir=self.data_dir, split=shards.split)

    @property
    def label_names(self) -> tuple[str, ...]:
        """Class names of the data set, by label.

        Raises:
            UserError: the records carry no labels.
        """
        names = self._shards("train").label_names
        if not names:
            raise errors.UserError(
                f"{self.data_dir} has no labels.txt: the videos were converted without labels, "
                "which a classifier needs. Convert a folder with one sub-folder per class or a csv "
                "with a label column; beside records of others write one class name a line."
            )
        return names

    @property
    def num_classes(self) -> int:
        """Number of labels of the data set; errors as of `label_names`."""
        return len(self.label_names)

    @property
    def train_data(self) -> str:
        """Says what the order of the training videos goes by: a digest of shards and their sizes.

        Only names and numbers of examples count, so that copies elsewhere are the same.
        """
        shards = self._shards("train")
        names = map(os.path.basename, shards.paths)
        sizes = [*zip(names, shards.examples_per_shard, strict=True)]
        digest = hashlib.sha256(repr(sizes).encode()).hexdigest()[:16]
        return (
            f"{shards.num_examples:,} videos in {len(sizes):,} shards of split {shards.split!r} "
            f"(digest {digest})"
        )

    def check_test(self) -> None:
        """Looks whether there is something to test, before any time goes into training.

        Raises:
            UserError: no views of a test video are configured, or the test split is not there.
        """
        if self.test_input is None:
            raise errors.UserError(
                "experiment.run.test_input is not bound, so nothing can be tested; bind a "
                "@feed.TestInput(), or run with --mode=train."
            )
        if self.test_split not in manifest.list_splits(self.data_dir):
            raise errors.UserError(self._no_test_split())
        self._shards("test")

    def check_train(self) -> None:
        """Looks which videos are trained on, before the model is made.

        Raises:
            UserError: the subset is no share of the training shards, see `subset.keep`.
        """
        self._share_of_train()

    def why_no_probe(self) -> str:
        """Returns why a kNN probe cannot be run on these data, "" if it can."""
        if self.probe_input is None:
            return "no probe_input is configured"
        if not self._shards("train").label_names:
            return f"{self.data_dir} has no labels.txt"
        if self.test_split not in manifest.list_splits(self.data_dir):
            return f"{self.data_dir} has no split {self.test_split!r}"
        return ""

    def _no_test_split(self):
        there = ", ".join(manifest.list_splits(self.data_dir))
        report = os.path.join(self.data_dir, f"{self.test_split}-videos.csv")
        failed = f" {report} says why none of its videos is." if tf.io.gfile.exists(report) else ""
        return (
            f"{self.data_dir} has no split {self.test_split!r} to test on, only {there}.{failed} "
            "Convert with --test_fraction=0.2 into another --output, or name one that is there: "
            "--gin_param=\"run.test_split = 'NAME'\"."
        )

    def _shards(self, part):
        split = self.train_split if part == "train" else self.test_split
        if part not in self._found:  # A look through thousands of shards takes its time.
            self._found[part] = manifest.find_shards(self.data_dir, split)
        return self._found[part]

    def _share_of_train(self):
        """Takes a seek for each record, so only where they are read."""
        shards = self._shards("train")
        if self.train_subset == 1:
            return shards
        if "share" not in self._found:
            kept = subset.keep(shards, fraction=self.train_subset, seed=self.subset_seed)
            print(
                f"Trains on {kept.num_examples:,} of the {shards.num_examples:,} videos of split "
                f"{shards.split!r}: {self.train_subset:.4g} of each class, at least one.",
                flush=True,
            )
            self._found["share"] = kept
        return self._found["share"]


@dataclasses.dataclass(frozen=True)
class _Batches:
    """Batches whose fault is told as what it is to the user: a fault of the records."""

    batches: Any
    data_dir: str
    split: str

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self.batches
        except (tf.errors.InvalidArgumentError, tf.errors.DataLossError) as error:
            fault = faults.told(error.message)
            said = f"{self.data_dir}: split {self.split!r} cannot be read: {fault}."
            if faults.is_damage(fault):
                said += (
                    f" python -m tfrecords_tools.inspect {shlex.quote(self.data_dir)} --check "
                    "names every such record."
                )
            raise errors.UserError(said) from error
