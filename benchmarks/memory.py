# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What memory a pre-training step takes: in chunks and at once, with and without recomputation.

    python -m benchmarks.memory --output=DIR

Each case runs in a process of its own. Its number is the peak of resident memory in two steps over
what was resident once the step was traced and the batch was made: activations, gradients, momentum,
and what TensorFlow allocates to compile the step, which is the same for every batch size. Not the
second step alone: TensorFlow's CPU allocator keeps for it what it got for the first.
"""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import time
import types
from collections.abc import Mapping

from absl import app, flags

from benchmarks import outcome, turns
from official_cvrl import commands

_OUTPUT = flags.DEFINE_string("output", None, "Folder for memory.json and memory.md.")
_CASE = flags.DEFINE_string("case", None, "JSON of one case, to measure in this process.")

_ENVIRONMENT = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
_MEGABYTE = 1e6


@dataclasses.dataclass(frozen=True)
class Case:
    """A step to measure.

    Attributes:
        videos: in the batch, two views each.
        chunk_size: of `pretrain.Pretraining`.
        recompute: of `resnet_3d.ResNet3D`, as the next two.
        depth: 18 or 50.
        width_multiplier: factor on the channels.
        num_frames: of a view.
        crop_size: of a view.
        precision: of `runtime.Runtime`.
    """

    videos: int
    chunk_size: int | None = None
    recompute: bool = False
    depth: int = 18
    width_multiplier: float = 0.25
    num_frames: int = 8
    crop_size: int = 112
    precision: str = "float32"

    @property
    def batch_shape(self):
        """Of the views that a step is given."""
        return [self.videos, 2, self.num_frames, self.crop_size, self.crop_size, 3]

    @property
    def model(self):
        """The model and the size of its clips, as the table has them."""
        width = "" if self.width_multiplier == 1 else f" × {self.width_multiplier}"
        size = f"{self.num_frames} × {self.crop_size}²"
        return f"R3D-{self.depth}{width}, {size}, {self.precision}"

    @property
    def way(self):
        """How the step saves memory, as the table has it."""
        chunks = [f"chunks of {self.chunk_size}"] if self.chunk_size else []
        return " + ".join(chunks + ["recomputed"] * self.recompute) or "plain"


_BATCHES = (8, 32, 128)
_FULL_SIZE = {
    "depth": 50,
    "width_multiplier": 1.0,
    "num_frames": 16,
    "crop_size": 224,
    "precision": "mixed_bfloat16",
}
_CASES = (
    *(
        Case(videos=videos, chunk_size=chunk_size, recompute=recompute)
        for chunk_size in (None, 8)
        for recompute in (False, True)
        for videos in _BATCHES
    ),
    *(
        Case(videos=videos, chunk_size=chunk_size, recompute=recompute, **_FULL_SIZE)
        for videos, chunk_size in ((2, None), (4, None), (4, 2))
        for recompute in (False, True)
    ),
)


def main(unused_argv):
    """Measures each case in a process of its own and prints the table."""
    if _CASE.value:
        print(json.dumps(_measure(Case(**json.loads(_CASE.value)))))
        return
    if not _OUTPUT.value:
        raise app.UsageError("--output=DIR is where the results go.")
    results = []
    for case in _CASES:
        results.append(_in_own_process(case))
        print(f"{case.model}, {case.way}, {case.videos} videos: {results[-1]}", flush=True)
    raw = [dataclasses.asdict(case) | found for case, found in zip(_CASES, results, strict=True)]
    outcome.write(_OUTPUT.value, "memory", tables=[_table(results)], goals=[], raw={"cases": raw})


def _in_own_process(case) -> Mapping[str, float]:
    given = json.dumps(dataclasses.asdict(case))
    finished = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", f"--case={given}"],
        cwd=turns.ROOT,
        env=os.environ | _ENVIRONMENT,
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(finished.stdout.splitlines()[-1])


def _measure(case) -> Mapping[str, float]:
    """Megabytes of two steps, seconds of the second."""
    # Not before: the process that starts the others needs no TensorFlow.
    import tensorflow as tf

    task = _make_task(case)
    specs = {
        "views": tf.TensorSpec(case.batch_shape, tf.uint8),
        "seeds": tf.TensorSpec([case.videos, 2, 2], tf.int32),
    }
    step = tf.function(task.train_step, autograph=False).get_concrete_function(specs)
    batch = _batch(case)
    before = _status("VmRSS")
    step(batch)
    start = time.perf_counter()
    float(step(batch)["loss"])
    seconds = time.perf_counter() - start
    return {"megabytes": _status("VmHWM") - before, "seconds": seconds}


def _make_task(case):
    from official_cvrl import optimizers, runtime
    from official_cvrl.data import augment
    from official_cvrl.modeling import heads, resnet_3d
    from official_cvrl.tasks import pretrain

    strategy = runtime.Runtime(precision=case.precision).start(seed=0)
    with strategy.scope():
        return pretrain.Pretraining(
            strategy=strategy,
            feed=types.SimpleNamespace(global_batch_size=case.videos),
            backbone=lambda: resnet_3d.ResNet3D(
                case.depth, case.width_multiplier, recompute=case.recompute
            ),
            projection_head=heads.ProjectionHead,
            optimizer=lambda: optimizers.sgd(learning_rate=0.1),
            augmentation=augment.published(),
            chunk_size=case.chunk_size,
        )


def _batch(case):
    import numpy as np
    import tensorflow as tf

    random = np.random.default_rng(0)
    return {
        "views": tf.constant(random.integers(0, 256, case.batch_shape, np.uint8)),
        "seeds": tf.constant(random.integers(0, 2**30, [case.videos, 2, 2], np.int32)),
    }


def _status(name):
    """A memory size of this process, in megabytes."""
    lines = pathlib.Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith(f"{name}:"))
    return int(kilobytes) * 1024 / _MEGABYTE


def _table(results):
    rows = [
        [case.model, case.way, case.videos, f"{found['megabytes']:,.0f}", f"{found['seconds']:.2f}"]
        for case, found in zip(_CASES, results, strict=True)
    ]
    return outcome.table(["model, clips", "step", "videos", "MB", "s"], rows)


if __name__ == "__main__":
    app.run(main, flags_parser=commands.parse_flags)
