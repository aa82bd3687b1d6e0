# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A run's config.gin as text: single values are read off it, nothing of it is carried out."""

import ast
import dataclasses
import os
import re
from collections.abc import Mapping
from typing import Any

_NAME = "config.gin"


@dataclasses.dataclass(frozen=True)
class Settings:
    """The saved configuration of a run.

    Attributes:
        text: of the file; "" if there is none.
    """

    text: str

    def value(self, name: str, default: Any = None) -> Any:
        """Returns what is bound to a name, such as "experiment.run.seed"; macros are followed.

        Args:
            name: as it stands in the file, without a scope.
            default: returned if nothing is bound, or no plain value.

        Returns:
            A Python value; for a reference its text ("@pretrain.Pretraining").
        """
        text, seen = self._bound(name), set()
        while text and text.startswith("%") and text not in seen:
            seen.add(text)
            text = self._bound(text[1:])
        if text is None or text.startswith("@"):
            return text or default
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError):
            return default

    def bindings(self) -> Mapping[str, str]:
        """Returns what is bound to which name, each as it is written, on one line."""
        found = re.findall(r"^([\w./]+) = ((?:.|\n +)*)$", self.text, re.MULTILINE)
        return {name: re.sub(r"\\?\n +", " ", text).strip() for name, text in found}

    def _bound(self, name):
        # gin breaks long values after a backslash.
        found = re.search(rf"^{re.escape(name)} = (?:\\\n +)?(.*)$", self.text, re.MULTILINE)
        return found[1] if found else None


def read(model_dir: str) -> Settings:
    """Returns the configuration that lies in a run's folder."""
    path = os.path.join(model_dir, _NAME)
    if not os.path.exists(path):
        return Settings("")
    with open(path, encoding="utf-8", errors="replace") as file:
        return Settings(file.read())
