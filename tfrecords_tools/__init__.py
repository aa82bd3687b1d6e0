# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Offline tools: videos to TFRecord shards, and a look into shards."""

# Sets what TensorFlow reads from the environment, before any module here imports it.
import official_cvrl  # noqa: F401
