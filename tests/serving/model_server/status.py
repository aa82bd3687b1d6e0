# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What goes wrong, by gRPC's name of it, and the HTTP status that TensorFlow Serving gives it."""

HTTP = {
    "INVALID_ARGUMENT": 400,
    "NOT_FOUND": 404,
    "FAILED_PRECONDITION": 412,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}


class Error(Exception):
    """An answer that is none.

    Attributes:
        code: a name in `HTTP`.
    """

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code
