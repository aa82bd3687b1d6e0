# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Where shards are written: in processes on all cores of this machine.

A decoder may crash or hang on a broken video. That costs its process, never the run: the video is
blamed, and the shard is written again without it.
"""

from __future__ import annotations

import collections
import dataclasses
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import connection

from official_cvrl import errors, filesystems, outputs
from tfrecords_tools import results

PROGRAM_FAULT = (
    "a worker process failed"  # So begins what is raised when nobody's input is at fault.
)

# The server that workers are forked from imports TensorFlow once, for all of them.
_PRELOAD = ["tfrecords_tools.shards"]
_START_METHOD = "forkserver"

_POLL_SECONDS = 1.0
_ALIVE_SECONDS = 1.0
# A crash may be bad luck (memory, a kill from outside), so the first one only means: again.
_CRASHES_TO_BLAME = 2

_STARTED, _ALIVE, _ENDED, _DONE, _UNWRITABLE, _BROKE = range(6)


def available_cores() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def run_local(
    specs: Sequence,
    *,
    workers: int,
    stall_seconds: float = 120.0,
    on_clips: Callable[[int], None] = lambda count: None,
    preload: Sequence[str] = (),
) -> list[results.ShardResult]:
    """Writes shards in processes of this machine.

    Args:
      specs: `plan.ShardSpec`s.
      workers: number of processes.
      stall_seconds: a video that gives no frame for so long is given up.
      on_clips: called with the number of clips done; a negative number takes some back, when a
        shard has to be written again.
      preload: what else the processes import, by way of the program's main module; loaded once.

    Returns:
      One result for each specification, in the same order.

    Raises:
      UserError: a shard cannot be written (disk full, for instance). No part of it is left.
    """
    pool = _Pool(
        specs,
        workers=workers,
        stall_seconds=stall_seconds,
        on_clips=on_clips,
        preload=preload,
    )
    try:
        done = {result.name: result for result in pool.results()}
    finally:
        pool.stop()
    return [done[spec.name] for spec in specs]


class _Pool:
    """Hands specifications to workers and watches over them."""

    def __init__(self, specs, *, workers, stall_seconds, on_clips, preload):
        self._waiting = collections.deque(specs)
        self._num_workers = min(workers, len(specs))
        self._stall_seconds = stall_seconds
        self._on_clips = on_clips
        self._crashes = collections.Counter()
        self._workers: list[_Worker] = []
        self._context = _context(preload)

    def results(self) -> Iterator[results.ShardResult]:
        while self._waiting or any(worker.spec for worker in self._workers):
            self._hand_out()
            listening = {worker.pipe: worker for worker in self._workers}
            for pipe in connection.wait(list(listening), timeout=_POLL_SECONDS):
                result = self._hear(listening[pipe])
                if result is not None:
                    yield result
            for worker in list(self._workers):
                if worker.spec and worker.silent_seconds() > self._stall_seconds:
                    self._give_up(worker)

    def stop(self) -> None:
        for worker in self._workers:
            worker.stop()
        self._workers = []

    def _hand_out(self) -> None:
        while self._waiting and len(self._workers) < self._num_workers:
            self._workers.append(_Worker(self._context))
        for worker in self._workers:
            if self._waiting and not worker.spec:
                worker.give(self._waiting.popleft())

    def _hear(self, worker: _Worker) -> results.ShardResult | None:
        try:
            kind, content = worker.pipe.recv()
        except (EOFError, OSError):
            self._bury(worker)
            return None
        worker.heard(kind, content)
        if kind == _ENDED:
            self._on_clips(1)
        elif kind == _UNWRITABLE:
            raise errors.UserError(content)
        elif kind == _BROKE:
            raise RuntimeError(f"{PROGRAM_FAULT}:\n{content}")
        elif kind == _DONE:
            return content
        return None

    def _bury(self, worker: _Worker) -> None:
        """Deals with a worker that died: its shard is written again, at last without the video."""
        how = worker.death()
        spec, clip = worker.spec, worker.clip()
        self._discard(worker)
        if spec is None:
            return
        self._crashes[spec.name, clip and clip.example_id] += 1
        often = self._crashes[spec.name, clip and clip.example_id] >= _CRASHES_TO_BLAME
        if often and clip is None:
            raise errors.UserError(
                f"{spec.name}: the process that writes this shard {how} each time it is started. "
                "Try fewer --workers; if it persists, run with --workers=1 and report it."
            )
        self._waiting.appendleft(_blame(spec, clip, f"the decoder {how}") if often else spec)

    def _give_up(self, worker: _Worker) -> None:
        spec, clip = worker.spec, worker.clip()
        if clip is None:  # Still starting, or closing its shard on a slow disk.
            worker.heard(_ALIVE, None)
            print(
                f"note: {spec.name}: nothing heard for {self._stall_seconds:g} s from the process "
                "that begins or ends this shard; a slow disk may be the reason. Waiting.",
                file=sys.stderr,
                flush=True,
            )
            return
        self._discard(worker)
        reason = f"the decoder gave no frame for {self._stall_seconds:g} s"
        self._waiting.appendleft(_blame(spec, clip, reason))

    def _discard(self, worker: _Worker) -> None:
        self._on_clips(-worker.clips_done)
        self._workers.remove(worker)
        worker.stop()


def _context(preload: Sequence[str]):
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context(_START_METHOD if _START_METHOD in methods else "spawn")
    if _START_METHOD in methods:
        context.set_forkserver_preload([*_PRELOAD, *preload])
    return context


def _blame(spec, clip, reason: str):
    return dataclasses.replace(spec, blamed=(*spec.blamed, (clip.example_id, reason)))


class _Worker:
    """This side of a worker process."""

    def __init__(self, context):
        self.pipe, their_pipe = context.Pipe()
        their_lifeline, self._lifeline = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_work, args=(their_pipe, their_lifeline), daemon=True
        )
        self._process.start()
        their_pipe.close()
        their_lifeline.close()
        self.spec = None
        self.clips_done = 0
        self._position = None
        self._heard_at = time.monotonic()

    def give(self, spec) -> None:
        self.spec, self.clips_done, self._position = spec, 0, None
        self._heard_at = time.monotonic()
        try:
            self.pipe.send(spec)
        except OSError:
            return  # It has died; the pipe tells so when it is read.

    def heard(self, kind: int, content) -> None:
        self._heard_at = time.monotonic()
        if kind == _STARTED:
            self._position = content
        elif kind == _ENDED:
            self.clips_done += 1
            self._position = None
        elif kind == _DONE:
            self.spec = None

    def clip(self):
        return None if self._position is None else self.spec.clips[self._position]

    def silent_seconds(self) -> float:
        return time.monotonic() - self._heard_at

    def death(self) -> str:
        self._process.join(timeout=10)
        code = self._process.exitcode
        if code is not None and code < 0:
            return f"crashed ({signal.Signals(-code).name})"
        return f"ended (exit code {code})"

    def stop(self) -> None:
        self._process.kill()
        self._process.join()
        self.pipe.close()
        self._lifeline.close()
        if self.spec is not None:
            shard = filesystems.openable_path(self.spec.output) / self.spec.name
            outputs.partial_path(shard, attempt=self.spec.attempt).unlink(missing_ok=True)


def _work(pipe: connection.Connection, lifeline: connection.Connection) -> None:
    """The other side: writes one shard after the other until the pipe closes."""
    threading.Thread(target=_die_with, args=(lifeline,), daemon=True).start()
    # Imports TensorFlow, which the process that watches does not need.
    from tfrecords_tools import shards

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that watches.
    watch = shards.Watch(
        on_start=lambda position: pipe.send((_STARTED, position)),
        on_frame=_Seldom(lambda: pipe.send((_ALIVE, None))),
        on_end=lambda: pipe.send((_ENDED, None)),
    )
    try:
        while True:
            pipe.send(_attempt(shards, pipe.recv(), watch))
    except (EOFError, OSError):
        return  # The process that watches is gone.


def _die_with(lifeline: connection.Connection) -> None:
    """Ends this process when the one that watches is gone, even if a decoder hangs meanwhile."""
    try:
        lifeline.recv()
    except (EOFError, OSError):
        os._exit(1)


def _attempt(shards, spec, watch) -> tuple[int, object]:
    try:
        return _DONE, shards.write_shard(spec, watch=watch)
    except shards.CANNOT_WRITE as error:
        return _UNWRITABLE, (
            f"{spec.output}/{spec.name} cannot be written: {errors.words(error)}. Free some space "
            "or choose another --output, then run the same command again: finished shards are kept."
        )
    except Exception:
        return _BROKE, traceback.format_exc()


class _Seldom:
    """Calls a function at most once in a while."""

    def __init__(self, call: Callable[[], None]):
        self._call = call
        self._called_at = 0.0

    def __call__(self) -> None:
        now = time.monotonic()
        if now - self._called_at > _ALIVE_SECONDS:
            self._called_at = now
            self._call()
