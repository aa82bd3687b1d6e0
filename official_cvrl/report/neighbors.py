# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Test videos and the training videos whose embeddings lie nearest to theirs."""

import dataclasses
import io
import itertools
import re
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from PIL import Image

from official_cvrl import errors, manifest, metrics, records, run_info
from official_cvrl.data import clip_format, feed, sampling
from official_cvrl.report import embedding_map, pictures
from official_cvrl.tasks import views

_FRAMES_SHOWN = 8
_NUM_QUERIES = 8
_NUM_NEIGHBORS = 4
_PIXELS_PER_PASS = 1 << 24  # of clips that go through the backbone at once
_TENSORFLOW_PLACE = re.compile(r"\{\{.*?\}\} |\s*\[Op:.*", re.DOTALL)  # Of no use to a user.


@dataclasses.dataclass(frozen=True)
class Video:
    """A video as it is shown.

    Attributes:
        name: of its record.
        label: its class; "" if it has none.
        strip: JPEG of some frames of its middle clip, side by side.
        num_frames: how many, eight unless the clip is shorter.
    """

    name: str
    label: str
    strip: bytes
    num_frames: int


@dataclasses.dataclass(frozen=True)
class Neighbor:
    """A training video near a query.

    Attributes:
        video: the training video.
        similarity: cosine of the angle between the embeddings.
        is_right: whether it has the query's class; None if either has none.
    """

    video: Video
    similarity: float
    is_right: bool | None


@dataclasses.dataclass(frozen=True)
class Query:
    """A video with its neighbours, the nearest first."""

    video: Video
    neighbors: Sequence[Neighbor]


@dataclasses.dataclass(frozen=True)
class Gallery:
    """What is shown of the neighbourhood of a run's embeddings.

    Attributes:
        queries: some of the videos asked for.
        checkpoint: whose embeddings they are.
        train_share: (videos that were embedded, videos there are) of the training split.
        query_share: the same of the split that was asked from.
        query_split: that split; the training split itself if there is no other.
        right_share: share of all embedded query videos whose nearest neighbour has their class;
            None without labels.
        laid_out: those videos on a plane; None if they are too few for it.
    """

    queries: Sequence[Query]
    checkpoint: str
    train_share: tuple[int, int]
    query_share: tuple[int, int]
    query_split: str
    right_share: float | None
    laid_out: embedding_map.Map | None = None


@dataclasses.dataclass(frozen=True)
class _Embedded:
    """Some videos of a split with their embeddings, in the order of their records."""

    shards: manifest.ShardSet
    total: int
    embeddings: np.ndarray
    labels: np.ndarray


def find(
    model_dir: str,
    info: run_info.RunInfo,
    *,
    train_split: str = "train",
    test_split: str = "test",
    max_train_videos: int = 2000,
) -> Gallery:
    """Embeds the middle clips of videos and looks for each test video's nearest training videos.

    Args:
        model_dir: folder of the run.
        info: what it says.
        train_split: where neighbours are sought.
        test_split: whose videos are asked for; without it, videos of `train_split` themselves.
        max_train_videos: at most so many of the training split are embedded, taken from as few
            shards as hold them; a quarter as many of the test split.

    Raises:
        UserError: there is no clip format, checkpoint or data; the message says which.
    """
    if info.clip is None:
        raise errors.UserError("the run does not say what its clips look like in evaluation")
    splits = manifest.list_splits(info.data_dir)
    query_split = test_split if test_split in splits else train_split
    backbone, checkpoint = run_info.load_backbone(model_dir, info)
    try:
        train = _embed(backbone, info, train_split, max_train_videos)
        query = train
        if query_split != train_split:
            query = _embed(backbone, info, query_split, max(1, max_train_videos // 4))
        return _gallery(train, query, info.clip, checkpoint)
    except tf.errors.OpError as error:
        reason = _TENSORFLOW_PLACE.sub("", error.message)
        raise errors.UserError(f"{info.data_dir} cannot be read: {reason}") from error


def choose(labels: np.ndarray, count: int) -> Sequence[int]:
    """Returns videos that show as many classes as possible, by index, whatever comes out for them.

    Args:
        labels: int [num_videos].
        count: how many videos.

    Returns:
        The first video of classes spread evenly over all; then second ones, if classes are few.
    """
    seen: dict[int, int] = {}
    turns = []
    for label in labels.tolist():
        turns.append(seen.setdefault(label, 0))
        seen[label] += 1
    order = np.lexsort((labels, turns))
    if len(seen) >= count:
        return [int(order[place]) for place in pictures.spread(len(seen), count)]
    return sorted(order[:count].tolist(), key=lambda index: (labels[index], index))


def _embed(backbone, info, split, most):
    shards = manifest.find_shards(info.data_dir, split)
    few = _few_shards(shards, most)
    size = max(1, min(64, _PIXELS_PER_PASS // (info.clip.num_frames * info.clip.crop_size**2)))
    test_input = feed.TestInput(
        clip=info.clip, num_test_clips=1, num_test_crops=1, global_batch_size=size
    )
    batches = test_input.batches(few, input_context=tf.distribute.InputContext())
    collector = views.embedding_collector(
        backbone, strategy=tf.distribute.get_strategy(), max_clips_per_pass=size
    )
    found = collector.collect(itertools.islice(batches, -(-most // size)), label=f"embed {split}")
    embeddings = metrics.normalized(found["outputs"][:most])
    return _Embedded(few, shards.num_examples, embeddings, found["label"][:most])


def _few_shards(shards, most):
    needed = -(-len(shards.paths) * most // shards.num_examples)
    chosen = pictures.spread(len(shards.paths), max(2, needed))
    counts = tuple(shards.examples_per_shard[index] for index in chosen)
    return dataclasses.replace(
        shards,
        paths=tuple(shards.paths[index] for index in chosen),
        examples_per_shard=counts,
        num_examples=sum(counts),
    )


def _gallery(train, query, clip, checkpoint):
    similarities = query.embeddings @ train.embeddings.T
    if query is train:
        np.fill_diagonal(similarities, -np.inf)
    num_neighbors = min(_NUM_NEIGHBORS, len(train.labels) - (query is train))
    order = np.argsort(-similarities, axis=1, kind="stable")[:, :num_neighbors]
    chosen = choose(query.labels, _NUM_QUERIES)
    asked = _videos(query.shards, chosen, clip)
    near = _videos(train.shards, order[chosen].ravel().tolist(), clip)

    def neighbor(q, t):
        return Neighbor(
            near[t], float(similarities[q, t]), _is_right(query.labels[q], train.labels[t])
        )

    return Gallery(
        queries=[Query(asked[q], [neighbor(q, t) for t in order[q].tolist()]) for q in chosen],
        checkpoint=checkpoint,
        train_share=(len(train.labels), train.total),
        query_share=(len(query.labels), query.total),
        query_split=query.shards.split,
        right_share=_right_share(query.labels, train.labels[order[:, 0]])
        if num_neighbors
        else None,
        laid_out=_laid_out(query, clip),
    )


def _laid_out(query, clip):
    embeddings = query.embeddings[: embedding_map.MOST_VIDEOS]
    if len(embeddings) < embedding_map.FEWEST_VIDEOS:
        return None
    places = embedding_map.places(embeddings)
    chosen = embedding_map.spread(places, embedding_map.MOST_PICTURES)
    shown = _videos(query.shards, chosen, clip, frames_shown=1)
    return embedding_map.Map(
        places,
        query.labels[: len(embeddings)],
        query.shards.label_names,
        {number: video.strip for number, video in shown.items()},
        query.shards.split,
    )


def _is_right(label, other):
    return None if min(label, other) < 0 else bool(label == other)


def _right_share(labels, nearest):
    known = (labels >= 0) & (nearest >= 0)
    return float(np.mean(labels[known] == nearest[known])) if known.any() else None


def _videos(
    shards: manifest.ShardSet,
    wanted: Sequence[int],
    clip: clip_format.ClipFormat,
    *,
    frames_shown: int = _FRAMES_SHOWN,
) -> Mapping[int, Video]:
    """Reads the records with some numbers; they are counted over the shards in order."""
    dataset = tf.data.TFRecordDataset(list(shards.paths), shards.compression)
    wanted, last = set(wanted), max(wanted, default=-1)
    found = enumerate(dataset.take(last + 1).as_numpy_iterator())
    return {
        index: _video(records.decode_example(serialized), shards.label_names, clip, frames_shown)
        for index, serialized in found
        if index in wanted
    }


def _video(example, label_names, clip, frames_shown):
    indices = sampling.dense_clip_frames(
        len(example.frames),
        num_frames=clip.num_frames,
        temporal_stride=clip.temporal_stride,
        num_test_clips=1,
    ).numpy()[0]
    middle = [len(indices) // 2]
    places = pictures.spread(len(indices), frames_shown) if frames_shown > 1 else middle
    shown = [indices[place] for place in places]
    frames = [Image.open(io.BytesIO(example.frames[i])).convert("RGB") for i in shown]
    strip = pictures.strip(frames)
    label = next(iter(example.classes(label_names)), "")
    return Video(example.example_id, label, strip, len(shown))
