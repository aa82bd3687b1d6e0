# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What a model can be asked; `local`, `over_grpc` and `over_rest` are the ways to it."""

import abc
import contextlib
import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np


class Unavailable(Exception):
    """No answer, through no fault of the request: to ask again may help."""


class Refused(Exception):
    """The request itself was turned down; the message says why."""


class OtherProtocol(Refused):
    """Who answers there does not speak this client's protocol; the message says which will do."""


@contextlib.contextmanager
def telling_other_protocol(signs: re.Pattern[str], hint: str) -> Iterator[None]:
    """Ends with the hint what would be asked again, if the reason shows another protocol's signs.

    Raises:
        OtherProtocol: the block was `Unavailable`, and signs are in the message.
    """
    try:
        yield
    except Unavailable as error:
        if signs.search(str(error)):
            raise OtherProtocol(hint) from error
        raise


class Gone(Refused):
    """There is no such model, or that version of it is no longer served."""


@dataclasses.dataclass(frozen=True)
class Description:
    """What is served.

    Attributes:
        name: of the model and its version, the same whichever way it is asked.
        inputs: by signature and input, the shape; None where any size will do.
        checksum: of graph and weights, wherever they lie; "" where they cannot be looked at.
    """

    name: str
    inputs: Mapping[str, Mapping[str, Sequence[int | None]]]
    checksum: str = ""


class Client(abc.ABC):
    """A model to ask; several threads may do so at once."""

    @abc.abstractmethod
    def describe(self, *, timeout: float) -> Description:
        """Returns what is served. Questions after it go to this same version.

        Raises:
            Gone: there is no such model.
            Refused: it is none that can be asked.
            Unavailable: no answer within `timeout` seconds.
        """

    @abc.abstractmethod
    def predict(
        self, signature: str, name: str, values: np.ndarray, *, output: str, timeout: float
    ) -> np.ndarray:
        """Returns one output of a signature.

        Args:
            signature: its name.
            name: of its input.
            values: the input: uint8, or object of bytes; dimension 0 is the batch.
            output: which output.
            timeout: seconds until `Unavailable`; a model in this process takes what it takes.

        Raises:
            Gone: the model, or the version that was described, is no longer served.
            Refused: wrong shape, bytes that are no picture, no such signature.
            Unavailable: no answer in time, or none at all.
        """

    def close(self) -> None:
        """Gives back what is held."""
        return
