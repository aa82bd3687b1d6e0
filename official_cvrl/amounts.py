# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""How many there are of something, as a person writes it."""


def counted(number: int, unit: str, units: str = "") -> str:
    """Returns "1 film", "0 films", "1,200 films".

    Args:
        number: how many.
        unit: of one.
        units: of others; the unit with an s if it is not given.
    """
    return f"{number:,} {unit if number == 1 else units or unit + 's'}"
