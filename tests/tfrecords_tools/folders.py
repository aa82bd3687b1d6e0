# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Conversion of folders of videos, and what it leaves."""

from tfrecords_tools import convert as convert_command


def convert(videos, output, **arguments):
    """Converts with two processes and in silence; returns the summary."""
    arguments = {"dataset": "folder", "workers": 2, "quiet": True, **arguments}
    return convert_command.convert(videos=videos, output=output, **arguments)


def content(folder):
    """Returns the bytes of every file of a folder by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def shards(folder):
    """Returns the bytes of the shards of training."""
    return {name: data for name, data in content(folder).items() if name.startswith("train-0")}
