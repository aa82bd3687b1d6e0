# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Runs the test files it is given under pytest; what Bazel's py_test starts."""

import sys

import pytest

if __name__ == "__main__":
    sys.exit(pytest.main(["--import-mode=importlib", *sys.argv[1:]]))
