# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The exceptions whose message a person reads without a stack trace, and what others' say."""

import re

# What TensorFlow puts around the words: the place in its graph, and the operation.
_INSIDES = re.compile(r"\{\{[^{}]*\}\}|\[Op:\w+\]( name:.*)?|\[\[.*\]\]", re.DOTALL)


class UserError(Exception):
    """Something the user gave is wrong; the message names it and the way out.

    Command modules print the message on standard error and exit with code 2.
    """

    exit_code = 2


class TryAgain(UserError):
    """Nothing that was given is wrong, and the same command may succeed later.

    The exit code is what schedulers know as a failure that is worth another try (sysexits.h).
    """

    exit_code = 75


def words(error: Exception) -> str:
    """Returns what a person reads of an error of the system or of TensorFlow.

    Neither the number of the system's error, nor its file, which the sentence around it names; nor
    TensorFlow's places in its graph.
    """
    said = getattr(error, "strerror", None) or getattr(error, "message", None) or str(error)
    return " ".join(_INSIDES.sub("", said).split()).rstrip(".")
