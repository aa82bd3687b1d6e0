# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What a person reads of errors of others."""

import pytest
import tensorflow as tf

from official_cvrl import errors

_FULL = "/run/ckpt-3_temp/part-00000; No space left on device"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(28, "No space left on device", "/run/config.gin"), "No space left on device"),
        (
            tf.errors.ResourceExhaustedError(
                None, None, f"{{{{function_node __wrapped__SaveV2}}}} {_FULL} [Op:SaveV2]"
            ),
            _FULL,
        ),
        (ValueError("line contains NUL"), "line contains NUL"),
    ],
)
def test_the_words_of_an_error_without_its_insides(error, words):
    assert errors.words(error) == words
