# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Asks again, later and later, while a server does not answer."""

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from official_cvrl.serving import client

_Answer = TypeVar("_Answer")
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 5.0


class GaveUp(Exception):
    """Asked for long enough; the message is the last reason."""


class Stopped(Exception):
    """`Patience.stop` was called before there was an answer."""


class Patience:
    """How long to ask again, for all questions alike.

    Args:
        seconds: from a question's first failure until `GaveUp`.
        say: is told why there is no answer, once until there is one again.
    """

    def __init__(self, seconds: float, *, say: Callable[[str], None]):
        self._seconds, self._say = seconds, say
        self._stopped = threading.Event()
        self._silent = threading.Event()

    def ask(self, question: Callable[[], _Answer]) -> _Answer:
        """Returns the answer to a question.

        Raises:
            client.Refused: twice; a server that batches fails a request for its neighbour's fault.
            GaveUp: there was no answer for so long.
            Stopped: there was none until `stop` was called.
        """
        start, refused, wait = None, False, _FIRST_WAIT
        while True:
            try:
                answer = question()
                self._silent.clear()
                return answer
            except client.Refused:
                if refused:
                    raise
                refused = True
            except client.Unavailable as error:
                start = start or time.monotonic()
                self._give_up_or_say(start, str(error))
            # Not all at once: those whom a restart has turned away would come back together.
            self._stopped.wait(wait * random.uniform(0.5, 1.0))
            wait = min(2 * wait, _LONGEST_WAIT)

    def stop(self) -> None:
        """Lets questions that wait end."""
        self._stopped.set()

    def check(self) -> None:
        """Raises `Stopped` once `stop` was called."""
        if self._stopped.is_set():
            raise Stopped

    def _give_up_or_say(self, start, reason):
        self.check()
        if time.monotonic() - start > self._seconds:
            raise GaveUp(reason)
        if not self._silent.is_set():
            self._silent.set()
            self._say(reason)
