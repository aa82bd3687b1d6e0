# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""One HTML file that needs no other: sections within the page's frame, style and script."""

import base64
import hashlib
import string
from importlib import resources

import official_cvrl
from official_cvrl.report import markup


def render(title: str, *sections: str) -> str:
    """Returns the whole document; what is no `markup.Markup` is escaped."""
    script = _resource("page.js")
    # The policy names this one script, so no other would run, whatever a label or a path holds.
    digest = base64.b64encode(hashlib.sha256(f"\n{script}".encode()).digest()).decode()
    return string.Template(_resource("page.html")).substitute(
        title=markup.fragment(title),
        version=official_cvrl.__version__,
        style=_resource("page.css"),
        script=script,
        script_hash=digest,
        content=markup.fragment(*sections),
    )


def _resource(name):
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
