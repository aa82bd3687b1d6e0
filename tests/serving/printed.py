# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What docs/serving.md prints in its boxes, for the tests that run it."""

import re

from tests.e2e import conftest as commands

_TEXT = (commands.ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
SECTIONS = tuple(re.findall(r"^## (.*)$", _TEXT, re.M))


def boxes(language: str, *sections: str) -> list[str]:
    """Returns the text of the boxes of a language ("" for none) in some sections, in order."""
    found = []
    for section in re.split(r"^## ", _TEXT, flags=re.M)[1:]:
        if section.partition("\n")[0] in sections:
            found += re.findall(r"^```(\w*)\n(.*?)^```$", section, re.M | re.S)
    return [text for named, text in found if named == language]
