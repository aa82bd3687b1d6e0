# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A feed's batches over two replicas, and what it says of records that cannot be read."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from official_cvrl import errors
from official_cvrl.data import augment, clip_format, faults, feed, pipeline
from tests import replicas
from tests.data import shards as tiny

_CLIP = {"num_frames": 2, "temporal_stride": 1, "crop_size": 8}


def _feed(data_dir, **changes):
    tested = feed.TestInput(
        clip=clip_format.ClipFormat(min_resize=10, **_CLIP),
        num_test_clips=1,
        num_test_crops=1,
        global_batch_size=4,
    )
    arguments = {
        "data_dir": str(data_dir),
        "strategy": replicas.two_replicas(),
        "global_batch_size": 4,
        "seed": 0,
        "train_input": functools.partial(
            pipeline.train_batches, augmentation=augment.crop_flip_only(), **_CLIP
        ),
        "test_input": tested,
        "probe_input": tested,
        "train_split": "train",
        "test_split": "test",
    }
    return feed.Feed(**(arguments | changes))


def test_a_subset_is_all_that_training_and_probe_see_and_is_told(tmp_path, capsys):
    tiny.write(tmp_path, 9, 11, labels=[0])
    tiny.write(tmp_path, 5, split="test", labels=[0])
    (tmp_path / "labels.txt").write_text("a\nb\nc\nd\ne\n")
    source = _feed(tmp_path, train_subset=0.2)
    assert len(list(source.batches("test"))) == 2
    assert not capsys.readouterr().out  # Which these are takes a look at each: testing needs none.
    source.check_train()
    said = "Trains on 4 of the 20 videos of split 'train': 0.2 of each class, at least one."
    assert capsys.readouterr().out == f"{said}\n"
    batches = iter(source.batches("train"))
    keys = [np.concatenate(_values(source, next(batches), "example_key")) for _ in range(3)]
    assert {len(set(batch)) for batch in keys} == {4}
    assert len(set(np.concatenate(keys))) == 4
    for role, count in (("probe_train", 4), ("probe_test", 5), ("test", 5)):
        weights = [_values(source, batch, "weight") for batch in source.batches(role)]
        assert np.sum(weights) == count
    assert not capsys.readouterr().out


@pytest.fixture(scope="module", name="data_dir")
def _data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    tiny.write(folder, 5)
    tiny.write(folder, 3, 2, split="test")
    (folder / "labels.txt").write_text("a\nb\nc\nd\ne\n")
    return folder


def _values(source, batch, name):
    return [part.numpy() for part in source.strategy.experimental_local_results(batch[name])]


def test_replicas_share_each_batch(data_dir):
    source = _feed(data_dir)
    batches = iter(source.batches("train"))
    labels = [np.concatenate(_values(source, next(batches), "label")) for _ in range(5)]
    assert [len(batch) for batch in labels] == [4] * 5
    # Each is all of an epoch of five videos, but the one that fills no batch.
    assert all(len(set(batch)) == 4 for batch in labels)
    assert set(np.concatenate(labels)) == set(range(5))


def test_train_goes_on_from_a_step(data_dir):
    source = _feed(data_dir)
    whole, rest = iter(source.batches("train")), iter(source.batches("train", start_step=2))
    batches = [next(whole) for _ in range(3)]
    ours, theirs = (_values(source, batch, "clips") for batch in (next(rest), batches[2]))
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("role", ["test", "probe_train", "probe_test"])
def test_each_replica_has_as_many_whole_batches(data_dir, role):
    source = _feed(data_dir)
    labels, weights = [], []
    for batch in source.batches(role):
        labels += _values(source, batch, "label")
        weights += _values(source, batch, "weight")
    assert [len(weight) for weight in weights] == [2, 2, 2, 2]
    kept = np.concatenate(weights) == 1.0
    assert sorted(np.concatenate(labels)[kept]) == list(range(5))


@pytest.mark.parametrize("role", ["train", "test"])
def test_an_unreadable_record_is_the_users_to_mend(tmp_path, role):
    broken = [frame[:-40] for frame in tiny.jpegs(9)]
    tiny.write(tmp_path, 4)
    tiny.write(tmp_path, 4, split=role, video_2=broken)
    expected = f"{role!r} cannot be read: example video 2 has .*inspect {tmp_path} --check"
    with pytest.raises(errors.UserError, match=expected):
        for _ in _feed(tmp_path).batches(role):
            pass


def test_a_name_is_told_as_it_is_and_a_check_where_it_finds_the_fault(tmp_path):
    def told(unfit):
        condition = tf.constant(False)
        fault = {"example_id": "Horse's \\ “été”", "fault": "has no label", "unfit": unfit}
        dataset = tf.data.Dataset.range(1).map(lambda n: faults.require(condition, n, **fault))
        with pytest.raises(errors.UserError) as refusal:
            list(feed._Batches(dataset, "my records", "train"))
        return str(refusal.value)

    begin = "my records: split 'train' cannot be read: example Horse's \\ “été” "
    assert told(True) == f"{begin}is readable, but has no label."
    check = "python -m tfrecords_tools.inspect 'my records' --check names every such record."
    assert told(False) == f"{begin}has no label. {check}"


def test_a_damaged_record_is_the_users_to_mend(tmp_path):
    tiny.write(tmp_path, 4)
    tiny.write(tmp_path, 4, split="test")
    (shard,) = tmp_path.glob("test-*")
    content = bytearray(shard.read_bytes())
    content[-100] ^= 255
    shard.write_bytes(content)
    with pytest.raises(errors.UserError, match="'test' cannot be read: .*corrupted record"):
        list(_feed(tmp_path).batches("test"))


def test_data_that_are_not_there_are_refused_before_anything_is_made(tmp_path):
    with pytest.raises(errors.UserError, match="no shards of split 'train'"):
        _feed(tmp_path)


def test_a_batch_that_replicas_cannot_share_is_refused(data_dir):
    with pytest.raises(errors.UserError, match="global_batch_size=3 does not divide by the 2"):
        _feed(data_dir, global_batch_size=3)


def test_what_is_known_of_the_labels(data_dir, tmp_path):
    source = _feed(data_dir)
    assert source.num_classes == 5
    assert source.why_no_probe() == ""
    assert "no probe_input" in _feed(data_dir, probe_input=None).why_no_probe()
    assert "no split 'other'" in _feed(data_dir, test_split="other").why_no_probe()
    tiny.write(tmp_path, 1)
    unlabelled = _feed(tmp_path)
    assert "no labels.txt" in unlabelled.why_no_probe()
    with pytest.raises(errors.UserError, match="no labels.txt.*one class name a line"):
        _ = unlabelled.num_classes


def test_what_testing_needs_is_missed_before_training(data_dir):
    _feed(data_dir).check_test()
    with pytest.raises(errors.UserError, match="test_input is not bound"):
        _feed(data_dir, test_input=None).check_test()
    with pytest.raises(errors.UserError, match="'validate' .*only test, train. Convert with"):
        _feed(data_dir, test_split="validate").check_test()


def test_a_test_split_that_failed_names_its_report(tmp_path):
    tiny.write(tmp_path, 1)
    (tmp_path / "test-videos.csv").touch()
    with pytest.raises(errors.UserError, match="test-videos.csv says why.*--test_fraction"):
        _feed(tmp_path).check_test()


def test_a_test_batch_grows_to_what_replicas_can_share(data_dir):
    clip = clip_format.ClipFormat(min_resize=10, **_CLIP)
    three = feed.TestInput(clip=clip, num_test_clips=1, num_test_crops=1, global_batch_size=3)
    source = _feed(data_dir, test_input=three)
    weights = [w for batch in source.batches("test") for w in _values(source, batch, "weight")]
    assert [len(weight) for weight in weights] == [2, 2, 2, 2]
    assert np.sum(weights) == 5


@pytest.mark.parametrize("name", ["num_test_clips", "num_test_crops", "global_batch_size"])
def test_refuses_numbers_that_are_not_positive(name):
    numbers = {"num_test_clips": 1, "num_test_crops": 1, "global_batch_size": 1} | {name: 0}
    with pytest.raises(ValueError, match=f"{name}=0 must be at least 1"):
        feed.TestInput(clip=clip_format.ClipFormat(min_resize=10, **_CLIP), **numbers)
