# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Order, draws and batches: reproducible, complete, the same on any number of hosts."""

import functools
import re

import cv2
import numpy as np
import pytest
import tensorflow as tf

from official_cvrl import errors
from official_cvrl.data import augment, photometric, pipeline, seeds, shares, spatial
from tests.data import distributions, published
from tests.data import shards as tiny

_CLIP = {"num_frames": 3, "temporal_stride": 2, "crop_size": 8}
_TWO_VIEWS = functools.partial(
    pipeline.two_view_batches, seed=5, augmentation=augment.published(), **_CLIP
)
_TRAIN = functools.partial(
    pipeline.train_batches, seed=5, augmentation=augment.crop_flip_only(), **_CLIP
)
_TEST = functools.partial(
    pipeline.test_batches, min_resize=10, num_test_clips=2, num_test_crops=3, **_CLIP
)


def _host(number, hosts, replicas=None):
    return tf.distribute.InputContext(
        num_input_pipelines=hosts,
        input_pipeline_id=number,
        num_replicas_in_sync=replicas or hosts,
    )


def _take(dataset, count):
    return list(dataset.take(count))


def _equal(batches, others):
    assert len(batches) == len(others)
    for batch, other in zip(batches, others, strict=True):
        assert batch.keys() == other.keys()
        for name in batch:
            np.testing.assert_array_equal(batch[name], other[name], err_msg=name)


def _labels(batches):
    return np.concatenate([batch["label"].numpy() for batch in batches])


@pytest.fixture(scope="module", name="shards")
def _shards(tmp_path_factory):
    return tiny.write(tmp_path_factory.mktemp("shards"), 4, 1, 5)


@pytest.fixture(scope="module", name="uninterrupted")
def _uninterrupted(shards):
    return _take(_TWO_VIEWS(shards, global_batch_size=4, shuffle_buffer=3), 8)


@pytest.fixture(scope="module", name="epochs")
def _epochs(shards):
    """Three epochs, a batch each."""
    return _take(_TWO_VIEWS(shards, global_batch_size=10), 3)


def test_every_video_once_in_each_epoch_in_another_order(epochs):
    labels = _labels(epochs).reshape(3, 10)
    for epoch in labels:
        assert sorted(epoch) == list(range(10))
    assert len(np.unique(labels, axis=0)) == 3
    assert not any(np.array_equal(epoch, np.arange(10)) for epoch in labels)


def test_views_differ_between_epochs_and_from_each_other(epochs):
    rows, drawn = tiny.by_label(epochs, "views"), tiny.by_label(epochs, "seeds")
    for label in range(10):
        views = np.reshape(rows[label], [6, -1])
        assert len(np.unique(views, axis=0)) == 6
    assert len(np.unique(np.reshape(list(drawn.values()), [-1, 2]), axis=0)) == 60


@pytest.mark.parametrize("start", [3, 6])
def test_resumed_stream_is_the_rest_of_the_stream(shards, uninterrupted, start):
    """Batches of 4 from 10 videos: two an epoch."""
    rest = _TWO_VIEWS(shards, global_batch_size=4, shuffle_buffer=3, start_step=start)
    _equal(_take(rest, 8 - start), uninterrupted[start:])


def test_no_batch_holds_a_video_twice_and_no_video_is_always_left_out(shards):
    """The shards hold 10 videos: three batches of 3 an epoch, so a fourth would span two epochs."""
    labels = _labels(_take(_TRAIN(shards, global_batch_size=3), 60)).reshape(60, 3)
    for epoch in labels.reshape(20, 9):
        assert len(set(epoch)) == 9
    assert set(labels.ravel()) == set(range(10))


def test_a_host_resumes_exactly_behind_epochs_that_left_videos_out(tmp_path):
    """Hosts of five videos, two replicas each: a step takes four, an epoch leaves out one."""
    shards = tiny.write(tmp_path, 5, 5)
    context = _host(1, 2, replicas=4)
    make = functools.partial(_TRAIN, shards, global_batch_size=8, input_context=context)
    whole = _take(make(), 24)
    for batch, next_batch in zip(whole[::2], whole[1::2], strict=True):
        assert len({*batch["label"].numpy(), *next_batch["label"].numpy()}) == 4
    for start in (2, 9):
        _equal(_take(make(start_step=start), 4), whole[2 * start : 2 * start + 4])


def test_a_host_with_too_few_videos_is_named_on_every_host(shards):
    """The shards hold 4, 1 and 5 videos, so the second of three hosts has one."""
    for host in range(3):
        with pytest.raises(errors.UserError, match="host 1 reads 1 of the 10 .* its 2 of a batch"):
            _TRAIN(shards, global_batch_size=6, input_context=_host(host, 3))


@pytest.mark.parametrize(
    ("size", "host", "advice"),
    [
        (11, {}, '"GLOBAL_BATCH_SIZE = 10"'),
        (12, {"hosts": 1, "replicas": 4}, '"GLOBAL_BATCH_SIZE = 8"'),
        (6, {"hosts": 3}, '"GLOBAL_BATCH_SIZE = 3"'),
        (12, {"hosts": 3, "replicas": 6}, "a video for each of 6 replicas"),
    ],
)
def test_the_largest_batch_that_fits_is_advised(shards, size, host, advice):
    context = {"input_context": _host(0, **host)} if host else {}
    with pytest.raises(errors.UserError, match=advice):
        _TRAIN(shards, global_batch_size=size, **context)
    if largest := re.search(r"= (\d+)", advice):
        _TRAIN(shards, global_batch_size=int(largest[1]), **context)


def test_order_depends_on_the_seed_and_on_nothing_else_of_the_process(shards):
    def labels(global_seed, seed):
        tf.random.set_seed(global_seed)
        return list(_labels(_take(_TRAIN(shards, global_batch_size=10, seed=seed), 2)))

    assert labels(1, 7) == labels(2, 7)
    assert labels(1, 7) != labels(1, 8)


def test_a_small_buffer_still_mixes_the_shards(shards):
    batches = _take(_TRAIN(shards, global_batch_size=10, shuffle_buffer=1), 4)
    assert len(np.unique(np.reshape(_labels(batches), [4, 10]), axis=0)) > 1


def test_without_determinism_each_video_still_has_its_views(shards, epochs):
    fast = _take(_TWO_VIEWS(shards, global_batch_size=5, deterministic=False), 6)
    for name in ("views", "seeds"):
        ours, theirs = tiny.by_label(epochs, name), tiny.by_label(fast, name)
        for label in range(10):
            np.testing.assert_array_equal(ours[label], theirs[label])


@pytest.mark.parametrize("threads", [1, 8])
def test_neither_shards_nor_threads_nor_buffer_change_a_video(tmp_path, epochs, threads):
    shards = tiny.write(tmp_path, *[1] * 9, 1)
    options = tf.data.Options()
    options.threading.private_threadpool_size = threads
    batches = _TWO_VIEWS(shards, global_batch_size=2, shuffle_buffer=1).with_options(options)
    batches = _take(batches, 15)
    assert _labels(batches)[:10].tolist() != _labels(epochs)[:10].tolist()
    for name in ("views", "seeds"):
        ours, theirs = tiny.by_label(batches, name), tiny.by_label(epochs, name)
        for label in range(10):
            np.testing.assert_array_equal(ours[label], theirs[label])


@pytest.mark.parametrize("hosts", [2, 4])
def test_hosts_share_the_videos_and_see_the_same_views(shards, epochs, hosts):
    """Three shards: two hosts take whole ones, four take every fourth record."""
    seen = {"views": {}, "seeds": {}}
    for host in range(hosts):
        own = shares.host_shards(shards, host=host, num_hosts=hosts)
        count = sum(shard.count for shard in own)
        context = _host(host, hosts)
        batches = _TWO_VIEWS(shards, global_batch_size=hosts, input_context=context)
        batches = _take(batches, count)
        for name, before in seen.items():
            rows = tiny.by_label(batches, name)
            assert len(rows) == count
            assert not set(rows) & set(before)
            before |= rows
    for name, rows in seen.items():
        alone = tiny.by_label(epochs, name)
        assert sorted(rows) == list(range(10))
        for label, (row,) in rows.items():
            np.testing.assert_array_equal(row, alone[label][0])


def test_records_are_shared_evenly_among_more_hosts_than_shards(shards):
    by_host = [shares.host_shards(shards, host=host, num_hosts=4) for host in range(4)]
    assert sorted(sum(shard.count for shard in own) for own in by_host) == [2, 2, 3, 3]


def _views(batch, augmentation):
    """The two views of a batch as the backbone gets them."""
    return np.stack(
        [
            photometric.photometric(
                batch["views"][:, view],
                batch["seeds"][:, view],
                view=view,
                augmentation=augmentation,
            )
            for view in (0, 1)
        ],
        axis=1,
    )


@pytest.mark.parametrize(
    "augmentation",
    [
        augment.published(),
        # What rarely meets in it: blur and solarisation of one view.
        augment.Augmentation(blur_probabilities=(1.0, 1.0), solarize_probabilities=(0.0, 1.0)),
    ],
    ids=["as_published", "all_in_the_second_view"],
)
def test_views_are_the_published_given_the_same_draws(tmp_path, augmentation):
    """From JPEGs to what the backbone gets; the last video is shorter than a clip."""
    clip = {"num_frames": 4, "temporal_stride": 2, "crop_size": 64}
    videos = [tiny.jpegs(6 + 3 * n, height=90, width=120, seed=n) for n in range(8)]
    videos.append(tiny.jpegs(5, height=90, width=120, seed=8))
    changes = {f"video_{n}": frames for n, frames in enumerate(videos)}
    shards = tiny.write(tmp_path, 9, **changes)
    (batch,) = _take(_TWO_VIEWS(shards, global_batch_size=9, **clip), 1)
    ours = tiny.by_label([{**batch, "both": tf.constant(_views(batch, augmentation))}], "both")
    keys = tiny.by_label([batch], "example_key")
    for label, encoded in enumerate(videos):
        drawn = seeds.example_seeds(5, example_key=keys[label][0], epoch=0, count=5)
        theirs = published.two_views(encoded, drawn, augmentation=augmentation, **clip)
        np.testing.assert_allclose(ours[label][0], theirs, rtol=0, atol=1e-3 + 1 / 255)


@pytest.mark.parametrize("consistent", [True, False])
def test_a_still_video_stays_still_unless_frames_are_augmented_independently(tmp_path, consistent):
    augmentation = augment.Augmentation(temporally_consistent=consistent)
    still = {f"video_{n}": tiny.jpegs(1, seed=n) * 9 for n in range(6)}
    shards = tiny.write(tmp_path, 6, **still)
    (batch,) = _take(_TWO_VIEWS(shards, global_batch_size=6, augmentation=augmentation), 1)
    for views, tolerance in ((batch["views"].numpy(), 0), (_views(batch, augmentation), 1e-6)):
        moving = np.ptp(views.astype(np.float32), axis=2).max(axis=(2, 3, 4)) > tolerance
        assert moving.shape == (6, 2)
        assert not moving.any() if consistent else moving.all()


def _rulers(count, side=40):
    """Frames that tell where they are from: red grows downwards, green rightwards, blue in time."""
    ramp = np.linspace(0, 255, side)
    frames = np.zeros([count, side, side, 3])
    frames[..., 2], frames[..., 1] = ramp[:, np.newaxis], ramp
    frames[..., 0] = 250 * np.arange(count).reshape([-1, 1, 1]) / (count - 1)
    options = [cv2.IMWRITE_JPEG_QUALITY, 100, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111]
    return [
        cv2.imencode(".jpg", frame.round().astype(np.uint8), options)[1].tobytes()
        for frame in frames
    ]


def test_what_is_drawn_for_batches_follows_the_formulas_independently(tmp_path):
    """Read off the pixels: where in time and space each view is from, and whether flipped."""
    frames, count = _rulers(8), 1500
    shards = tiny.write(tmp_path, 60, **{f"video_{n}": frames for n in range(60)})
    clip = {"num_frames": 2, "temporal_stride": 1}
    batches = _take(_TWO_VIEWS(shards, global_batch_size=60, **clip), count // 60)
    views = np.concatenate([batch["views"] for batch in batches]).astype(np.float32)
    starts = np.round(views[:, :, 0, ..., 2].mean(axis=(2, 3)) * 7 / 250).astype(int)
    interval = np.arange(7)
    expected = ((1 - interval / 7) ** 2 - (1 - (interval + 1) / 7) ** 2) * count
    distributions.assert_counts(np.bincount(abs(starts[:, 0] - starts[:, 1])), expected)
    distributions.assert_share(np.diff(starts)[np.diff(starts) != 0] > 0, 0.5)
    rows, columns = views[:, :, 0, :, 4, 0], views[:, :, 0, 4, :, 1]
    flips = columns[..., -1] < columns[..., 0]
    distributions.assert_share(flips, 0.5)
    places = [rows.mean(-1), np.ptp(rows, -1), columns.mean(-1), np.ptp(columns, -1), flips]
    first, second = np.stack(places, axis=-1).transpose([1, 0, 2])
    colors = np.concatenate([batch["seeds"] for batch in batches])
    looks = [_amounts(colors[:, view], view) for view in (0, 1)]
    distributions.assert_uncorrelated(starts.min(axis=1), first, second, *looks)


def _amounts(drawn, view):
    """The factors of the jitter, and σ, that are drawn for seeds."""

    def draw(seed):
        look = photometric.draw(seed, view=view, augmentation=augment.published())
        return tf.concat([look.amounts, [look.sigma]], axis=0)

    return tf.function(lambda: tf.map_fn(draw, drawn, fn_output_signature=tf.float32))().numpy()


def test_short_videos(tmp_path):
    shards = tiny.write(tmp_path, 2, num_frames=4, video_0=tiny.jpegs(1))
    (two_views,) = _take(_TWO_VIEWS(shards, global_batch_size=2), 1)
    (train,) = _take(_TRAIN(shards, global_batch_size=2), 1)
    (test,) = _TEST(shards, global_batch_size=2)
    assert two_views["views"].shape == [2, 2, 3, 8, 8, 3]
    assert train["clips"].shape == [2, 3, 8, 8, 3]
    assert test["views"].shape == [2, 6, 3, 8, 8, 3]
    for batch, name in ((two_views, "views"), (train, "clips"), (test, "views")):
        rows = tiny.by_label([batch], name)
        assert np.ptp(rows[0][0], axis=-4).max() == 0
        assert np.ptp(rows[1][0], axis=-4).max() > 0


def test_test_views_are_every_clip_and_crop(tmp_path):
    """Against decoding, resizing and cropping each clip on its own; portrait and landscape."""
    frames = tiny.jpegs(9, height=26, width=17, seed=4)
    shards = tiny.write(tmp_path, 2, video_1=frames)
    (batch,) = _TEST(shards, global_batch_size=2)
    for label, encoded in ((0, tiny.jpegs(9, seed=0)), (1, frames)):
        # Clips of frames s, s + 2, s + 4, the first at the start, the last at the end.
        for clip, start in enumerate((0, 4)):
            chosen = tf.constant(encoded[start : start + 5 : 2])
            resized = spatial.decode_resized(chosen, min_resize=10)
            expected = spatial.test_crops(resized, crop_size=8, num_test_crops=3)
            views = batch["views"][label, 3 * clip : 3 * clip + 3]
            np.testing.assert_array_equal(views, expected)


@pytest.mark.parametrize(("hosts", "replicas"), [(2, 4), (4, 4)])
def test_every_video_is_tested_once_and_no_replica_waits(shards, hosts, replicas):
    keys, lengths = [], set()
    for host in range(hosts):
        batches = list(
            _TEST(
                shards,
                global_batch_size=2 * replicas,
                input_context=_host(host, hosts, replicas),
            )
        )
        lengths.add(len(batches))
        for batch in batches:
            assert batch["views"].shape == [2, 6, 3, 8, 8, 3]
            kept = batch["weight"].numpy() == 1.0
            assert not batch["views"].numpy()[~kept].any()
            keys += batch["example_key"].numpy()[kept].tolist()
    assert len(lengths) == 1
    assert lengths.pop() % (replicas // hosts) == 0
    assert len(keys) == len(set(keys)) == 10


def test_test_batches_keep_the_order(shards):
    assert _labels(_TEST(shards, global_batch_size=5)).tolist() == list(range(10))


def test_a_batch_larger_than_the_data_is_refused(shards):
    for make in (_TWO_VIEWS, _TRAIN):
        with pytest.raises(errors.UserError, match="global_batch_size=11 .* 10 videos"):
            make(shards, global_batch_size=11)


@pytest.mark.parametrize("make", [_TWO_VIEWS, _TEST])
def test_a_broken_frame_names_its_video(tmp_path, make):
    whole = tiny.jpegs(9)
    shards = tiny.write(tmp_path, 3, video_1=[frame[:-50] for frame in whole])
    with pytest.raises(tf.errors.InvalidArgumentError, match="example video 1 .*no whole JPEG"):
        _take(make(shards, global_batch_size=3), 1)


def test_unlabelled_and_grey_videos(tmp_path):
    grey = [cv2.imencode(".jpg", np.full([20, 24], 99, np.uint8))[1].tobytes()] * 9
    shards = tiny.write(tmp_path, 1, video_0=grey, labels=[])
    (batch,) = _take(_TWO_VIEWS(shards, global_batch_size=1), 1)
    assert batch["label"].numpy().tolist() == [-1]
    np.testing.assert_array_equal(batch["views"], np.full([1, 2, 3, 8, 8, 3], 99))


@pytest.mark.parametrize(
    ("labels", "fault"),
    [([], "has no label"), ([-1], "has no label"), ([0, 1], "has 2 labels"), ([-2], "label")],
)
def test_a_video_without_one_label_is_named_where_it_is_needed(tmp_path, labels, fault):
    shards = tiny.write(tmp_path, 2, labels=labels)
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"example video \d .*{fault}"):
        _take(_TRAIN(shards, global_batch_size=2), 1)


def test_only_minus_1_stands_for_no_label(tmp_path):
    shards = tiny.write(tmp_path, 1, labels=[-1])
    (batch,) = _TEST(shards, global_batch_size=1)
    assert batch["label"].numpy().tolist() == [-1]
    (tmp_path / "labels.txt").write_text("one\n")
    shards = tiny.write(tmp_path, 1, labels=[-2])
    with pytest.raises(tf.errors.InvalidArgumentError, match="example video 0 has the label -2"):
        _take(_TEST(shards, global_batch_size=1), 1)


def test_a_label_beyond_the_label_map_is_named(tmp_path):
    (tmp_path / "labels.txt").write_text("one\ntwo\n")
    shards = tiny.write(tmp_path, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="example video 2 .*beyond the 2 of"):
        _take(_TEST(shards, global_batch_size=3), 1)


def test_a_record_without_frames_is_named(tmp_path):
    shards = tiny.write_empty(tmp_path)
    with pytest.raises(tf.errors.InvalidArgumentError, match="example empty has no frames"):
        _take(_TWO_VIEWS(shards, global_batch_size=1), 1)


@pytest.mark.parametrize(
    "wrong", [{"num_frames": 0}, {"temporal_stride": 0}, {"power": 0.0}, {"trend": "falling"}]
)
def test_wrong_arguments_are_refused_before_anything_is_read(tmp_path, wrong):
    shards = tiny.write(tmp_path, 2)
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))}="):
        _TWO_VIEWS(shards, global_batch_size=2, **wrong)
