# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Where shards are written, past one machine: on Apache Beam, by whichever of its runners.

Each element of the pipeline is the specification of a shard. What writes it is the local engine
with one process, started by the Beam worker: so a crash or a hang of a decoder costs a video here,
too. Results come back by the notes in the output folder, because no runner but Beam's own hands
elements to the one who started the pipeline.
"""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence

from official_cvrl import errors, filesystems, outputs
from tfrecords_tools import engines, results

_LOOK_SECONDS = 2.0
_IMPORTED_BY_WORKERS = ("apache_beam.runners.worker.sdk_worker",)
# How an exception of a worker reads by the time it comes here.
_USER_ERROR = re.compile(r"UserError: (.*?)(?: \[while running|\n|$)")
# By default the first worker of Dask would get 128 shards, some 8,000 videos.
_ONE_SHARD_AT_A_TIME = "--dask_partition_size=1"
_DONE = "DONE"  # apache_beam's PipelineState.DONE.


def run_on_beam(
    specs: Sequence,
    *,
    flags: Sequence[str],
    on_clips: Callable[[int], None] = lambda count: None,
) -> list[results.ShardResult]:
    """Writes shards on Apache Beam.

    Args:
      specs: `plan.ShardSpec`s; their output folder is one that all workers and this machine see.
      flags: Beam's own, such as `--runner=FlinkRunner`; none for Beam's runner on this machine.
      on_clips: called with the number of clips done, shard by shard.

    Returns:
      One result for each specification, in the same order.

    Raises:
      UserError: Beam is not installed, its runner cannot be reached, or a shard cannot be written.
    """
    for spec in specs:
        results.remove_note(spec.output, spec.name)
    try:
        with _told_by_notes(specs, on_clips):
            _run(specs, flags)
    finally:
        _remove_partial(specs)
    return [_result(spec) for spec in specs]


def import_beam():
    """Returns the module `apache_beam`, which takes seconds to import.

    Raises:
      UserError: it is not installed.
    """
    try:
        import apache_beam
    except ImportError as error:
        raise errors.UserError(
            f"--engine=beam needs Apache Beam, which cannot be imported ({error}): pip install "
            "-r requirements-beam.txt. Without it, --engine=local uses all cores of this machine."
        ) from error
    return apache_beam


def _run(specs: Sequence, flags: Sequence[str]) -> None:
    try:
        _wait(_pipeline(specs, flags).run())
    except SystemExit as error:  # Beam's argument parser has told what is wrong.
        raise errors.UserError(f"Beam does not take these flags: {' '.join(flags)}.") from error
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        if engines.PROGRAM_FAULT in text:
            raise
        told = _USER_ERROR.search(text)
        raise errors.UserError(
            told[1]
            if told
            else f"Beam ({' '.join(flags) or 'no flags'}) failed: {text}\n"
            "Finished shards are kept; the same command goes on from there."
        ) from error


def _pipeline(specs: Sequence, flags: Sequence[str]):
    beam = import_beam()
    from apache_beam.options import pipeline_options

    options = pipeline_options.PipelineOptions(_with_defaults(flags))
    pipeline = beam.Pipeline(options=options)
    shards = pipeline | "shards" >> beam.Create(list(specs))
    # Without it a runner may fuse all shards into the work of one worker.
    shards = shards | "spread" >> beam.Reshuffle()
    _ = shards | "write" >> beam.Map(write_supervised)
    return pipeline


def _with_defaults(flags: Sequence[str]) -> list[str]:
    given = " ".join(flags)
    on_dask = "DaskRunner" in given and not re.search("--dask_(npartitions|partition_size)", given)
    return [*flags, _ONE_SHARD_AT_A_TIME] if on_dask else list(flags)


def _wait(running) -> None:
    try:
        state = running.wait_until_finish()
    except KeyboardInterrupt:
        with contextlib.suppress(Exception):
            running.cancel()  # A cluster would go on.
        raise
    if state != _DONE:
        raise RuntimeError(f"the pipeline ended as {state}, not as {_DONE}")


def write_supervised(spec) -> str:
    """Writes a shard in a process that may crash or hang, and returns its name.

    This is what a Beam worker does.

    A runner may let two workers write the same shard, so each grows a file of its own.
    """
    # Dask's workers are daemons, which may have no children lest these outlive them; those of the
    # local engine end with whoever started them.
    multiprocessing.current_process().daemon = False
    own = dataclasses.replace(spec, attempt=uuid.uuid4().hex)
    (result,) = engines.run_local([own], workers=1, preload=_IMPORTED_BY_WORKERS)
    return result.name


@contextlib.contextmanager
def _told_by_notes(specs: Sequence, on_clips: Callable[[int], None]) -> Iterator[None]:
    """Counts clips while the block runs, by the notes about finished shards."""
    waiting = {spec.name: spec for spec in specs}

    def look():
        for name in results.noted(specs[0].output) & set(waiting):
            on_clips(len(waiting.pop(name).clips))

    def look_until_ended():
        while not ended.wait(_LOOK_SECONDS):
            # A folder that cannot be read for a moment is no reason to end; the next look tells.
            with contextlib.suppress(Exception):
                look()

    ended = threading.Event()
    watch = threading.Thread(target=look_until_ended, daemon=True)
    watch.start()
    try:
        yield
    finally:
        ended.set()
        watch.join()
    look()


def _remove_partial(specs: Sequence) -> None:
    """Removes what workers that were lost have left of shards."""
    ours = {spec.name for spec in specs}
    with contextlib.suppress(OSError):
        for path in filesystems.openable_path(specs[0].output).iterdir():
            if outputs.whose_partial(path.name) in ours:
                path.unlink(missing_ok=True)


def _result(spec) -> results.ShardResult:
    result = results.read_note(spec.output, spec.name)
    if result is None:
        raise errors.UserError(
            f"{spec.output}/{spec.name}: Beam reports success, but the shard is not here. --output "
            "has to be a folder that the workers and this machine share, such as gs://…"
        )
    return result
