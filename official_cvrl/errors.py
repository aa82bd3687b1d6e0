# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The exceptions whose message a person reads without a stack trace."""


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
