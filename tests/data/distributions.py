# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Whether samples follow a distribution: χ², Kolmogorov–Smirnov and correlation, p > 1e-4."""

import numpy as np

_FEWEST_EXPECTED = 5
_NORMAL_QUANTILE = 3.719  # One-sided, p = 1e-4.


def chi2(observed, expected):
    """Returns χ² of the counts of cells, and what it exceeds once in 1e4; few are pooled."""
    observed, expected = np.ravel(observed), np.ravel(expected)
    np.testing.assert_allclose(observed.sum(), expected.sum(), rtol=1e-6)
    impossible = expected == 0
    assert not observed[impossible].any(), np.flatnonzero(impossible & (observed > 0))
    few = (expected < _FEWEST_EXPECTED) & ~impossible
    rest = ~few & ~impossible
    observed, expected = (
        np.append(counts[rest], [counts[few].sum()] if few.any() else [])
        for counts in (observed, expected)
    )
    if len(expected) == 1:
        return 0.0, np.inf
    return np.sum((observed - expected) ** 2 / expected), _chi2_limit(len(expected) - 1)


def kolmogorov_smirnov(values, low=0.0, high=1.0):
    """Returns the distance from the uniform distribution of [low, high], and its limit, as χ²."""
    shares = np.sort((np.ravel(values) - low) / (high - low))
    assert shares[0] >= 0 and shares[-1] <= 1, (shares[0], shares[-1])
    steps = np.arange(len(shares) + 1) / len(shares)
    distance = max(np.max(steps[1:] - shares), np.max(shares - steps[:-1]))
    return distance, np.sqrt(np.log(2 / 1e-4) / 2 / len(shares))


def assert_counts(observed, expected):
    """Holds the counts of cells against the expected ones."""
    statistic, limit = chi2(observed, expected)
    assert statistic < limit, (statistic, limit)


def assert_share(flags, probability):
    """Holds how often something was drawn against its probability."""
    count, drawn = np.size(flags), np.count_nonzero(flags)
    expected = count * np.array([probability, 1 - probability])
    assert_counts([drawn, count - drawn], expected)


def assert_uniform(values, low=0.0, high=1.0):
    """Holds numbers against the uniform distribution of [low, high]."""
    distance, limit = kolmogorov_smirnov(values, low, high)
    assert distance < limit, (distance, limit)


def assert_uncorrelated(*groups):
    """Holds the correlation of each column with each of the other groups' against 0, Bonferroni.

    Args:
        *groups: each [samples, columns] or [samples].
    """
    groups = [np.reshape(group, [len(group), -1]).astype(np.float64) for group in groups]
    names = np.repeat(np.arange(len(groups)), [group.shape[1] for group in groups])
    correlation = np.corrcoef(np.concatenate(groups, axis=1).T)
    assert np.isfinite(correlation).all(), "a column is constant"
    across = np.abs(correlation[names[:, np.newaxis] < names])
    # P(|normal| > z) < exp(-z² / 2).
    limit = np.sqrt(2 * np.log(across.size / 1e-4) / len(groups[0]))
    assert across.max() < limit, (across.max(), limit)


def _chi2_limit(degrees):
    """The quantile of p = 1e-4, as Wilson and Hilferty approximate it."""
    width = 2 / (9 * degrees)
    return degrees * (1 - width + _NORMAL_QUANTILE * np.sqrt(width)) ** 3
