# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The one exception whose message a person reads without a stack trace."""


class UserError(Exception):
    """Something the user gave is wrong; the message names it and the way out.

    Command modules print the message on standard error and exit with code 2.
    """
