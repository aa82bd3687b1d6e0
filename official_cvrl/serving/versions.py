# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A folder of versions, 1, 2, …, as TensorFlow Serving wants it: a new one appears whole."""

import contextlib
import dataclasses
import fcntl
import os
import pathlib
import secrets
import shutil
import tempfile
from collections.abc import Iterator

import tensorflow as tf

from official_cvrl import errors, filesystems

# What makes a folder a SavedModel to those who look for one.
_GRAPH = "saved_model.pb"
_SCRATCH = ".writing-"
_OUTPUT = "Give --output=DIR, a folder that you may write to, with room for the model."
_TEMPORARY = "Set TMPDIR to a folder that you may write to, with room for the model."


@dataclasses.dataclass(frozen=True)
class Version:
    """A version that is being written.

    Attributes:
        scratch: a local folder for what is needed meanwhile; it is removed in the end.
        model: a local folder that does not exist yet; what is written to it becomes the version.
        target: where the version will be.
    """

    scratch: str
    model: str
    target: str

    def writable(self) -> contextlib.AbstractContextManager[None]:
        """Names the scratch folder, and what moves it elsewhere, where it cannot be written.

        Raises:
            UserError: the block could not write.
        """
        way_out = _TEMPORARY if filesystems.scheme(self.target) else _OUTPUT
        return _writable(repr(self.scratch), way_out)


@contextlib.contextmanager
def new(output: str, *, number: int = 0) -> Iterator[Version]:
    """Gives a version to write, which appears in its folder when the block ends well.

    In a local folder it appears at once. Elsewhere (gs://…) it is copied file by file, and what
    makes it a SavedModel comes last, so that nobody loads a part of it. Of several that are given
    one number at a time, at most one appears. What killed ones left in a local folder is
    removed.

    Args:
        output: folder of versions, local or remote; made if it is not there.
        number: of the version; 0 for the one after the last.

    Raises:
        UserError: this installation cannot open such paths, the version is there already, or the
            folder cannot be written.
        TryAgain: another took the number while this was written.
    """
    folder = filesystems.openable_path(output)
    remote = bool(filesystems.scheme(os.fspath(folder)))
    if not remote and os.path.isfile(folder):
        raise errors.UserError(f"{output!r} is a file. {_OUTPUT}")
    with _writable(repr(output), _OUTPUT):
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / str(_number(folder, number))
    if not remote:
        _remove_leftovers(folder)
    with _scratch(None if remote else os.fspath(folder)) as scratch:
        model = os.path.join(scratch, "model")
        yield Version(scratch, model, os.fspath(target))
        with _writable(repr(output), _OUTPUT):
            (_copy if remote else os.rename)(model, target)


@contextlib.contextmanager
def _scratch(folder):
    """Makes a folder in a local one, or where temporary files are, and removes it in the end."""
    named = (repr(folder), _OUTPUT) if folder else ("The folder of temporary files", _TEMPORARY)
    with _writable(*named):
        scratch, held = _make_held(folder)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        if held is not None:
            os.close(held)


def _make_held(folder):
    """Makes a scratch folder that no other export takes for a leftover; its path and its lock."""
    while True:
        scratch = tempfile.mkdtemp(prefix=_SCRATCH, dir=folder)
        try:
            held = _hold(scratch)
        except OSError:  # Where there are no locks, nobody removes leftovers.
            return scratch, None
        if held is not None:  # Else another removed it in between.
            return scratch, held


def _remove_leftovers(folder):
    """Removes scratch folders of exports that were killed."""
    for path in folder.glob(f"{_SCRATCH}*"):
        with contextlib.suppress(OSError):
            held = _hold(path)
            if held is not None:
                shutil.rmtree(path, ignore_errors=True)
                os.close(held)


def _hold(path):
    """Locks a folder until the process ends, however it does; None if it is another's, or gone.

    Raises:
        OSError: the folder cannot be locked.
    """
    with contextlib.suppress(FileNotFoundError, BlockingIOError):
        held = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.stat(path)  # Who held it may have removed it.
            return held
        except OSError:
            os.close(held)
            raise
    return None


@contextlib.contextmanager
def _writable(folder, way_out):
    try:
        yield
    except Exception as error:
        if not filesystems.is_fault(error):
            raise
        reason = error.message if isinstance(error, tf.errors.OpError) else error
        raise errors.UserError(f"{folder} cannot be written: {reason}. {way_out}") from error


def _number(folder, wanted):
    # A bucket's folder is not there before something is in it.
    found = folder.iterdir() if folder.exists() else ()
    there = [int(path.name) for path in found if path.name.isdecimal()]
    if wanted in there:
        raise errors.UserError(
            f"{os.fspath(folder)!r} holds version {wanted} already; give another --version, or "
            f"none for version {max(there) + 1}."
        )
    return wanted or max(there, default=0) + 1


def _copy(model, target):
    files = [path for path in pathlib.Path(model).rglob("*") if path.is_file()]
    with _claimed(target):
        try:
            for path in sorted(files, key=lambda path: path.name == _GRAPH):
                there = target / path.relative_to(model).as_posix()
                there.parent.mkdir(parents=True, exist_ok=True)
                tf.io.gfile.copy(os.fspath(path), os.fspath(there))
        except BaseException:
            with contextlib.suppress(OSError, tf.errors.OpError):
                target.rmtree()
            raise


@contextlib.contextmanager
def _claimed(target):
    """Gives a folder to one writer alone; buckets have no lock, but show at once what is in them.

    Who sees another's file beside its own claim gives way, so two at once both do.
    """
    claim = target / f".claim-{secrets.token_hex(4)}"
    target.mkdir(parents=True, exist_ok=True)
    claim.write_text("A version is being written here.")
    try:
        # A folder that is an object itself may be listed as in it.
        if any(path.name not in (claim.name, target.name) for path in target.iterdir()):
            raise errors.TryAgain(
                f"{os.fspath(target)!r} was taken by another export meanwhile; the same command "
                "takes the next number, unless --version names this one."
            )
        yield
    finally:
        with contextlib.suppress(OSError, tf.errors.OpError):
            claim.unlink()
