# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Which examples each host reads, and how many it gives a step or in all."""

import dataclasses
import itertools

import tensorflow as tf

from official_cvrl import errors, manifest


@dataclasses.dataclass(frozen=True)
class HostShard:
    """The records of one shard that one host reads.

    Attributes:
        path: of the shard.
        first: index of the first record it reads.
        step: from there it reads every so manyth.
        count: how many records that makes.
        offset: byte of the file at which the records begin that are counted here.
    """

    path: str
    first: int
    step: int
    count: int
    offset: int = 0


def host_shards(shards: manifest.ShardSet, *, host: int, num_hosts: int) -> tuple[HostShard, ...]:
    """Returns what a host reads; every example belongs to exactly one host.

    Whole shards where there are enough of them, every so manyth record of all shards otherwise.
    """
    offsets = shards.offsets or (0,) * len(shards.paths)
    whole = [
        HostShard(path, first=0, step=1, count=count, offset=offset)
        for path, count, offset in zip(
            shards.paths, shards.examples_per_shard, offsets, strict=True
        )
    ]
    if len(whole) >= num_hosts:
        return tuple(whole[host::num_hosts])
    before = itertools.accumulate(shards.examples_per_shard, initial=0)
    return tuple(
        _every_nth(shard, first=(host - start) % num_hosts, step=num_hosts)
        for shard, start in zip(whole, before, strict=False)
    )


def for_training(
    shards: manifest.ShardSet, global_batch_size: int, input_context: tf.distribute.InputContext
) -> tuple[tuple[HostShard, ...], int]:
    """Returns what this host reads, and how many examples it gives a step.

    Raises:
        UserError: a host has fewer examples than that. All hosts judge all of them: were one to
            stop alone, the others would wait for it.
    """
    by_host = _by_host(shards, input_context)
    _check_batch_fits(shards, by_host, global_batch_size, input_context)
    rows_per_step = _rows_per_step(global_batch_size, input_context)
    return by_host[input_context.input_pipeline_id], rows_per_step


def for_test(
    shards: manifest.ShardSet, global_batch_size: int, input_context: tf.distribute.InputContext
) -> tuple[tuple[HostShard, ...], int]:
    """Returns what this host reads, and how many rows it gives with padding, in whole batches.

    All hosts give as many rows as the one with the most examples needs: were one to stop earlier,
    the others would wait for it for ever.
    """
    by_host = _by_host(shards, input_context)
    most = max(sum(shard.count for shard in own) for own in by_host)
    rows_per_step = _rows_per_step(global_batch_size, input_context)
    return by_host[input_context.input_pipeline_id], -(-most // rows_per_step) * rows_per_step


def _check_batch_fits(shards, by_host, global_batch_size, input_context):
    replicas = input_context.num_replicas_in_sync
    rows_per_step = global_batch_size // len(by_host)
    videos = [sum(shard.count for shard in own) for own in by_host]
    fewest = min(videos)
    if rows_per_step <= fewest:
        return
    there = f"the {shards.num_examples} videos of split {shards.split!r}"
    fault = f"global_batch_size={global_batch_size} is more than {there}"
    if len(by_host) > 1:
        fault = (
            f"host {videos.index(fewest)} reads {fewest} of {there}, fewer than its "
            f"{rows_per_step} of a batch (global_batch_size={global_batch_size}, hosts: "
            f"{len(by_host)})"
        )
    largest = fewest // _replicas_per_host(input_context) * replicas
    way_out = (
        f"take {largest} or fewer, with gin files of this project by "
        f'--gin_param="GLOBAL_BATCH_SIZE = {largest}"'
        if largest
        else f"a batch has a video for each of {replicas} replicas at least; give more videos"
    )
    raise errors.UserError(f"{fault}; {way_out}.")


def _every_nth(shard, *, first, step):
    count = len(range(first, shard.count, step))
    return dataclasses.replace(shard, first=first, step=step, count=count)


def _by_host(shards, input_context):
    count = input_context.num_input_pipelines
    return [host_shards(shards, host=host, num_hosts=count) for host in range(count)]


def _rows_per_step(global_batch_size, input_context):
    per_replica = input_context.get_per_replica_batch_size(global_batch_size)
    return per_replica * _replicas_per_host(input_context)


def _replicas_per_host(input_context):
    return input_context.num_replicas_in_sync // input_context.num_input_pipelines
