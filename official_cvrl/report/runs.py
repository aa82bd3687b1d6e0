# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Runs by what their folders say: what each is, whose backbone it took, which belong together."""

import dataclasses
import os
from collections.abc import Mapping, Sequence

from official_cvrl import checkpoints, errors, filesystems, run_info
from official_cvrl import origin as origin_lib
from official_cvrl.report import settings as settings_lib


@dataclasses.dataclass(frozen=True)
class Run:
    """A run's folder, read.

    Attributes:
        model_dir: the folder, absolute.
        info: what run.json says.
        settings: what config.gin says.
        results: the last evaluation by measure; empty if there was none.
        outdated_step: whose weights that evaluation is of, if the newest checkpoint is another's.
    """

    model_dir: str
    info: run_info.RunInfo
    settings: settings_lib.Settings
    results: Mapping[str, float]
    outdated_step: int | None = None

    @property
    def name(self) -> str:
        """The folder's name."""
        return os.path.basename(self.model_dir)

    @property
    def is_classification(self) -> bool:
        """Whether the run trained a classifier."""
        return self._task().endswith(".Classification")

    @property
    def is_pretraining(self) -> bool:
        """Whether the run contrasted views."""
        return self._task().endswith(".Pretraining")

    @property
    def is_detection(self) -> bool:
        """Whether the run trained a detector."""
        return self._task().endswith(".Detection")

    @property
    def is_frozen(self) -> bool:
        """Whether the run trained a classifier alone and left its backbone as it was."""
        return bool(self.settings.value("classify.Classification.frozen"))

    @property
    def train_subset(self) -> float:
        """Share of the training videos that the run was given."""
        return self.settings.value("experiment.run.train_subset", 1.0)

    @property
    def origin(self) -> str:
        """Folder or checkpoint whose backbone the run started from; "" for random weights."""
        pretrained = self.settings.value("experiment.run.pretrained", "")
        if not pretrained:
            return ""
        return os.path.realpath(origin_lib.place(pretrained, self.model_dir))

    @property
    def earlier_origin(self) -> str:
        """Name of the checkpoint that the run started from, if that is not its folder's newest.

        "" if it is, if there is none, or if nothing tells.
        """
        begun_from = self.info.origin
        there = checkpoints.listed(self._origin_folder) if begun_from.digest else []
        if not there or origin_lib.digest(there[-1]) == begun_from.digest:
            return ""
        return os.path.basename(begun_from.path)

    @property
    def is_current(self) -> bool:
        """Whether the results are of the newest weights, of the run and of where it started."""
        return self.outdated_step is None and not self.earlier_origin

    def starts_from(self, model_dir: str) -> bool:
        """Whether the run started from the backbone, or one checkpoint, of a folder."""
        return os.path.realpath(model_dir) in (self.origin, self._origin_folder)

    def describe(self) -> str:
        """Returns what kind of run it is, in words, and whose weights it started from."""
        if self.train_subset == 1:
            return self._kind()
        return f"{self._kind()} on {100 * self.train_subset:g}% of the training videos"

    def _kind(self):
        if self.is_pretraining:
            return "CVRL pre-training"
        source = f"of {self._source()}"
        if self.is_detection:
            return f"Action detection {source}"
        if not self.is_classification:
            return "Training run"
        if self.is_frozen:
            return f"Linear evaluation {source}"
        return f"Fine-tuning {source}" if self.origin else "Supervised training"

    def _source(self):
        if earlier := self.earlier_origin:
            return f"{earlier}, an earlier checkpoint of {os.path.basename(self._origin_folder)}"
        return os.path.basename(self.origin) or "random weights"

    @property
    def _origin_folder(self):
        return self.origin if os.path.isdir(self.origin) else os.path.dirname(self.origin)

    def _task(self):
        return str(self.settings.value("experiment.run.task", ""))


def read(model_dir: str) -> Run:
    """Reads a run's folder.

    Raises:
        UserError: there is no run, it is not on a local disk, or its files are broken.
    """
    filesystems.refuse_remote(model_dir, option="--model_dir")
    model_dir = os.path.abspath(model_dir)
    info = run_info.read(model_dir)
    if info is None:
        raise errors.UserError(
            f"{model_dir} holds no run (no run.json); give the --model_dir of a training run."
        )
    return Run(
        model_dir,
        info,
        settings_lib.read(model_dir),
        run_info.read_results(model_dir),
        run_info.outdated_step(model_dir),
    )


def family(run: Run) -> Sequence[Run]:
    """Returns a run with the runs beside it that its results are to be compared with.

    These are the run whose backbone it started from, the other evaluations of that backbone, and,
    on the same data, classifiers that started from random weights of the same architecture.
    """
    others = sorted(_beside(run), key=lambda other: other.name)
    roots = [other for other in others if run.starts_from(other.model_dir)] or [run]
    of_backbone = [o for o in others if o.starts_from(roots[0].model_dir) or o in roots]
    data = {member.info.data_dir for member in (run, *of_backbone)}
    random = [
        other
        for other in others
        if other.is_classification
        and not other.origin
        and other.info.data_dir in data
        and _architecture(other) == _architecture(run)
    ]
    members = [run, *of_backbone, *random]
    return sorted(members, key=lambda o: (o not in roots, o in random, o.name))


def tested_as(run: Run, family: Sequence[Run]) -> Sequence[Run]:
    """Returns the runs whose results speak for a run, those that say most first.

    These are the run itself, then what started from its newest checkpoint: linear evaluations
    before fine-tuning, and those of all training videos before those of a part.
    """
    later = [other for other in family if other.starts_from(run.model_dir) and other.is_current]
    return [run, *sorted(later, key=lambda o: (not o.is_frozen, -o.train_subset, o.name))]


def _beside(run):
    parent = os.path.dirname(run.model_dir)
    # A folder that may be entered is not always one that may be listed.
    for name in os.listdir(parent) if os.access(parent, os.R_OK) else ():
        folder = os.path.join(parent, name)
        if os.path.isdir(folder) and not os.path.samefile(folder, run.model_dir):
            try:
                yield read(folder)
            except (errors.UserError, OSError):  # Whatever lies there, it is not ours to judge.
                continue


def _architecture(run):
    return run_info.architecture(run.info.backbone)
