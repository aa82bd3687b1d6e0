# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Records, runs and checkpoints in S3 storage, a server on this machine; second stack only."""

import os
import subprocess
import sys

import boto3
import pytest
import tensorflow as tf

from official_cvrl import filesystems, manifest
from official_cvrl.serving import versions
from tests.e2e import conftest

# A process of its own: TensorFlow waits for answers without letting other threads of Python go on.
_SERVER = """
import time
from moto import server
storage = server.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
storage.start()
print("http://{}:{}".format(*storage.get_host_and_port()), flush=True)
time.sleep(3600)
"""


@pytest.fixture(scope="module", name="bucket")
def _bucket():
    """A bucket, as s3://…, that this process and those it starts can open."""
    access = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_REGION": "us-east-1"}
    command = [sys.executable, "-c", _SERVER]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as storage,
        pytest.MonkeyPatch.context() as environment,
    ):
        try:
            endpoint = storage.stdout.readline().strip()
            for name, value in {**access, "S3_ENDPOINT": endpoint}.items():
                environment.setenv(name, value)
            client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
            client.create_bucket(Bucket="bucket")
            yield "s3://bucket"
        finally:
            storage.kill()


@pytest.fixture(scope="module", name="converted")
def _converted(bucket, videos):
    done = conftest.python(
        *("-m", "tfrecords_tools.convert", "--dataset=folder"),
        *(f"--videos={videos}", f"--output={bucket}/records", "--num_shards=2"),
    )
    assert done.returncode == 0, done.stderr
    return f"{bucket}/records"


def test_records_are_those_of_a_local_folder(converted, records):
    there = filesystems.openable_path(converted)
    names = sorted(path.name for path in there.iterdir())
    assert names == sorted(os.listdir(records))
    for name in names:
        if not (records / name).is_dir():
            assert (there / name).read_bytes() == (records / name).read_bytes(), name
    assert manifest.find_shards(converted, "train").num_examples == 12


def test_a_run_trains_from_it_checkpoints_to_it_and_goes_on(bucket, converted):
    run = f"{bucket}/runs/pretrain"
    for steps, said in ((3, "knn_top1"), (6, "Goes on from step 3")):
        done = conftest.train(
            "pretrain.gin", model_dir=run, data_dir=converted, params=(f"TRAIN_STEPS = {steps}",)
        )
        assert done.returncode == 0, done.stderr
        assert said in done.stdout
    reader = tf.train.load_checkpoint(f"{run}/ckpt-6")
    assert reader.get_tensor("optimizer/iter/.ATTRIBUTES/VARIABLE_VALUE") == 6
    names = {path.name for path in filesystems.openable_path(run).iterdir()}
    assert {"checkpoint", "config.gin", "results.json", "run.json", "train", "eval"} <= names


def test_versions_of_a_saved_model_appear_whole(bucket):
    for number in ("1", "2"):
        with versions.new(f"{bucket}/served") as version:
            os.makedirs(f"{version.model}/variables")
            for name in ("saved_model.pb", "variables/variables.index"):
                with open(f"{version.model}/{name}", "w", encoding="utf-8") as file:
                    file.write(name)
        assert version.target == f"{bucket}/served/{number}"
        index = filesystems.openable_path(version.target) / "variables" / "variables.index"
        assert index.read_text() == "variables/variables.index"


def test_what_is_not_there_is_told_in_a_line(bucket, refused_here):
    message = refused_here("pretrain.gin", model_dir=f"{bucket}/runs/x", data_dir=f"{bucket}/none")
    assert "s3://bucket/none" in message
