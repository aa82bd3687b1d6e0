# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What differs between the two stacks, TensorFlow 2.20 and 2.15: the one place that knows of both.

tensorflow-addons and tensorflow-io end at TensorFlow 2.15, so only the second stack has them. The
rest of the package asks here, and never for a version.
"""

import atexit
import ctypes
import functools
import importlib.util

_SECOND = (
    "the second stack, TensorFlow 2.15 on Python 3.10 or 3.11 (make environment STACK=tf215, or "
    "pip install -r requirements-tf215.txt)"
)
_ONLY_ON_SECOND = {"tensorflow_addons": "tensorflow-addons", "tensorflow_io": "tensorflow-io"}


def where_to_find(module: str) -> str:
    """Returns a sentence that says which stack has a module; "" where that is not the matter."""
    package = _ONLY_ON_SECOND.get(module.partition(".")[0])
    return f" {package} works on {_SECOND}." if package else ""


@functools.cache
def register_filesystems() -> bool:
    """Has TensorFlow open what tensorflow-io does: s3://, az://, hdfs:// and others.

    Returns:
        Whether tensorflow-io is here and loads.
    """
    if importlib.util.find_spec("tensorflow_io") is None:
        return False
    try:
        import tensorflow_io  # noqa: F401  (importing it registers them)
    except Exception:  # Built for another TensorFlow, it fails in ways of its own.
        return False
    atexit.register(_end_before_libraries_unload)
    return True


def _end_before_libraries_unload():
    """Has the process end once Python is done, with its exit code, and unload no C++ library.

    After s3:// was used, the AWS client inside tensorflow-io is torn down after what it needs, and
    the process aborts ("pure virtual method called", issue 1912 of tensorflow/io; its repair is in
    no release) whatever its work came to. The C library calls what was registered last first, and
    that is now `_exit`, with the exit code as its argument.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "on_exit"):  # It is glibc's.
        return
    libc.on_exit(libc._exit, None)
