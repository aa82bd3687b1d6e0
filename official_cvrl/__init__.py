# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""CVRL: spatiotemporal contrastive video representation learning (arXiv:2008.03800)."""

import os

# tf-models-official builds on legacy Keras; chosen before tensorflow.keras is touched.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow leaves oneDNN off on CPUs without AVX-512; a training step there is three times faster
# with it.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__version__ = "0.1.0"
