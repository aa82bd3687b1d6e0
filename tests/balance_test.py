# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of official_cvrl.balance; its use in conversion is tested with tfrecords_tools.subsets."""

from official_cvrl import balance


def test_counts_are_rounded_shares_of_each_class_and_at_least_one():
    names = {n: [f"{n}/{i}" for i in range(count)] for n, count in enumerate((200, 46, 3))}
    kept = balance.kept(names, fraction=0.1, seed=0)
    assert [sum(name in kept for name in names[n]) for n in names] == [20, 5, 1]
    assert balance.kept(names, fraction=0.1, seed=1) != kept


def test_the_order_is_known():
    assert sorted("abcde", key=balance.stable_order) == ["d", "c", "b", "e", "a"]
