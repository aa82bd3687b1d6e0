# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Tests of tfrecords_tools.subsets."""

import dataclasses

import pytest

from official_cvrl import errors
from tfrecords_tools import annotations, subsets


class TestHoldOut:
    def _found(self, *clips):
        return annotations.Annotations({"train": annotations.Split(clips)}, ("a", "b"))

    def _clips(self, label, count):
        return [annotations.Clip("", f"{label}/{n}.mp4", (label,)) for n in range(count)]

    def test_takes_a_share_of_each_class(self):
        found = self._found(*self._clips("a", 20), *self._clips("b", 10))
        held = subsets.hold_out(found, fraction=0.2)
        labels = [clip.labels[0] for clip in held.splits["test"].clips]
        assert (labels.count("a"), labels.count("b")) == (4, 2)
        train, test = (set(held.splits[name].clips) for name in ("train", "test"))
        assert not train & test
        assert train | test == set(found.splits["train"].clips)

    def test_is_stable_under_order_and_additions(self):
        clips = self._clips("a", 40)
        before = subsets.hold_out(self._found(*clips), fraction=0.25).splits["test"].clips
        turned = subsets.hold_out(self._found(*clips[::-1]), fraction=0.25).splits["test"].clips
        more = subsets.hold_out(self._found(*self._clips("a", 44)), fraction=0.25)
        assert set(before) == set(turned)
        assert set(before) != set(sorted(clips, key=lambda clip: clip.data_path)[:10])
        assert len(set(before) & set(more.splits["test"].clips)) >= 8

    def test_parts_of_one_file_stay_together(self):
        parts = [
            annotations.Clip("", f"{n // 4}.mp4", ("ab"[n % 2],), start_us=n) for n in range(80)
        ]
        held = subsets.hold_out(self._found(*parts), fraction=0.3)
        train, test = (
            {clip.data_path for clip in held.splits[name].clips} for name in ("train", "test")
        )
        assert test
        assert not train & test

    def test_a_class_of_one_stays_in_train(self):
        held = subsets.hold_out(self._found(*self._clips("a", 1)), fraction=0.5)
        assert not held.splits["test"].clips

    def test_what_repeats_another_video_counts_on_neither_side(self):
        for number in range(2):  # Whichever of both is held out by its name.
            twins = self._clips("a", 2)
            twins[number] = dataclasses.replace(twins[number], same_as="the other")
            held = subsets.hold_out(self._found(*twins), fraction=0.5)
            assert held.splits["train"].clips == tuple(twins)

    def test_faults(self):
        for fraction in (-0.5, 1.0, 7.0):
            with pytest.raises(errors.UserError, match="between 0 and 1"):
                subsets.hold_out(self._found(), fraction=fraction)
        two = annotations.Annotations({"train": annotations.Split(()), "val": None}, ())
        with pytest.raises(errors.UserError, match="split already .train, val."):
            subsets.hold_out(two, fraction=0.5)


class TestKeepShare:
    def _found(self, *clips, split="train"):
        return annotations.Annotations({split: annotations.Split(clips)}, ())

    def _clips(self, label, count):
        return [annotations.Clip("", f"{label}/{n}.mp4", (label,)) for n in range(count)]

    def _kept(self, found, *, split="train", **arguments):
        chosen = subsets.keep_share(found, **{"seed": 0, **arguments})
        return [clip.example_id for clip in chosen.splits[split].clips]

    def test_each_class_keeps_its_share_and_at_least_one(self):
        found = self._found(*self._clips("a", 200), *self._clips("b", 50), *self._clips("c", 3))
        kept = self._kept(found, fraction=0.1)
        assert [sum(name[0] == label for name in kept) for label in "abc"] == [20, 5, 1]
        kept = self._kept(found, fraction=0.01)
        assert [sum(name[0] == label for name in kept) for label in "abc"] == [2, 1, 1]

    def test_a_smaller_subset_lies_within_a_larger_one(self):
        found = self._found(*self._clips("a", 130), *self._clips("b", 33), *self._clips("c", 1))
        kept = [set(self._kept(found, fraction=share)) for share in (0.01, 0.02, 0.1, 0.15, 0.5)]
        assert all(less < more for less, more in zip(kept, kept[1:], strict=False))

    def test_the_choice_is_known_and_depends_on_names_and_seed_alone(self):
        clips = self._clips("a", 100)
        kept = self._kept(self._found(*clips), fraction=0.03)
        assert kept == ["a/37.mp4", "a/74.mp4", "a/93.mp4"]
        assert sorted(self._kept(self._found(*clips[::-1]), fraction=0.03)) == sorted(kept)
        others = self._kept(self._found(*clips), fraction=0.03, seed=1)
        assert len(others) == 3
        assert set(others) != set(kept)

    def test_several_labels_persons_and_none(self):
        person = annotations.Person((0.0, 0.0, 1.0, 1.0), labels=("c",))
        frame = annotations.KeyFrame(0, (person,))
        clips = [annotations.Clip("", f"{n}", ("a", "b")) for n in range(40)]
        clips += [annotations.Clip("", f"k{n}", key_frame=frame) for n in range(20)]
        clips += [annotations.Clip("", f"u{n}") for n in range(10)]
        kept = self._kept(self._found(*clips), fraction=0.1)
        assert len([name for name in kept if name.isdigit()]) == 4  # The same for both labels.
        assert len([name for name in kept if name[0] == "k"]) == 2
        assert len([name for name in kept if name[0] == "u"]) == 1

    def test_what_repeats_another_video_is_not_the_one_that_is_kept(self):
        first, copy = self._clips("a", 2)
        found = self._found(first, dataclasses.replace(copy, same_as=first.data_path))
        for seed in range(5):
            assert self._kept(found, fraction=0.5, seed=seed) == [first.example_id]

    def test_only_train_is_thinned_and_the_manifest_told(self):
        two = annotations.Annotations(
            {name: annotations.Split(tuple(self._clips("a", 20))) for name in ("train", "val")},
            ("a",),
            settings={"version": "400"},
        )
        chosen = subsets.keep_share(two, fraction=0.1, seed=5)
        assert [len(split.clips) for split in chosen.splits.values()] == [2, 20]
        assert chosen.settings == {"version": "400", "subset": 0.1, "subset_seed": 5}
        only = self._found(*self._clips("a", 20), split="val")
        assert len(self._kept(only, fraction=0.1, split="val")) == 2

    def test_what_was_refused_stays_told(self):
        refused = (annotations.Refused("x", "why"),)
        found = annotations.Annotations({"train": annotations.Split((), refused)}, ())
        assert subsets.keep_share(found, fraction=0.5, seed=0).splits["train"].refused == refused

    def test_faults(self):
        for fraction in (0.0, 1.0, -0.1):
            with pytest.raises(errors.UserError, match=f"--subset={fraction} must lie"):
                subsets.keep_share(self._found(), fraction=fraction, seed=0)
        two = annotations.Annotations(dict.fromkeys(("val", "test"), annotations.Split(())), ())
        with pytest.raises(errors.UserError, match="choose one of the splits val, test"):
            subsets.keep_share(two, fraction=0.5, seed=0)
