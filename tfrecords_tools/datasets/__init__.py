# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The data sets that can be converted: a file for each, whose `read` gives its annotations."""
