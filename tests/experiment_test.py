# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The wiring on a task of one weight: what is said, and when."""

import functools
import json

import pytest
import tensorflow as tf

from official_cvrl import errors, experiment, optimizers, run_info, runtime, trainer
from tests.data import shards
from tests.tasks import tiny


class _Task:
    """Lowers one weight."""

    clips_per_step = 4
    results, num_tested, frozen = {"top1": 0.5}, 20, True

    def __init__(self, *, strategy, feed):
        del strategy, feed
        self.backbone = tf.keras.layers.Dense(1)
        self.weight = tf.Variable(1.0, name="kernel")
        self.optimizer = optimizers.sgd(learning_rate=0.1)

    def checkpoint_items(self):
        return {"weight": self.weight, "optimizer": self.optimizer}

    def train_dataset(self, *, start_step):
        del start_step
        return tf.data.Dataset.from_tensors(0.0)

    def train_step(self, batch):
        with tf.GradientTape() as tape:
            loss = tf.square(self.weight - batch)
        optimizers.minimize(self.optimizer, tape, loss, [self.weight])
        return {"loss": loss}

    def preview(self, batch):
        del batch
        return {}

    def check_evaluation(self):
        pass

    def evaluate(self, folder):
        del folder
        return self.results


class _Detecting(_Task):
    results, num_tested = {"frame_map": 0.5}, 0


class _Classifying(_Task):
    def __init__(self, **given):
        super().__init__(**given)
        self.classifier = tf.keras.layers.Dense(8)


class _Fed(_Task):
    def __init__(self, *, strategy, feed):
        super().__init__(strategy=strategy, feed=feed)
        self.train_dataset = functools.partial(feed.batches, "train")


class _Unfed(_Task):
    def train_dataset(self, *, start_step):
        raise errors.UserError("a batch is larger than the data")


def _run(folder, *, mode="train", data_dir=None, task=_Task, train_input=None, **given):
    return experiment.run(
        mode=mode,
        model_dir=str(folder / "run"),
        data_dir=str(data_dir or folder / "records"),
        task=task,
        runtime=runtime.Runtime(strategy="one_device"),
        loop=trainer.Loop(train_steps=1),
        global_batch_size=4,
        train_input=train_input or (lambda *args, **named: None),
        **given,
    )


def _refuse(folder, **state):
    del state
    raise errors.UserError(f"{folder} holds a run with other settings")


def test_a_finished_run_is_told_of_once_nothing_is_refused(tmp_path, capsys):
    (tmp_path / "records").mkdir()
    tiny.write_records(tmp_path / "records")
    _run(tmp_path)
    assert "Finished before" not in capsys.readouterr().out
    with pytest.raises(errors.UserError, match="other settings"):
        _run(tmp_path, save_config=_refuse)
    assert "Finished before" not in capsys.readouterr().out
    _run(tmp_path)
    assert f"Finished before, at step 1, in {tmp_path}/run." in capsys.readouterr().out


def test_a_start_without_batches_leaves_nothing_and_the_next_one_describes_itself(tmp_path, capsys):
    (tmp_path / "records").mkdir()
    tiny.write_records(tmp_path / "records")
    saved = []
    save = {"save_config": lambda folder, **state: saved.append((folder, state))}
    with pytest.raises(errors.UserError, match="larger than the data"):
        _run(tmp_path, task=_Unfed, **save)
    assert not saved and not (tmp_path / "run").exists()
    assert "begins anew" not in capsys.readouterr().out
    _run(tmp_path, **save)
    for path in (tmp_path / "run").glob("c*kp*"):  # Killed before the first checkpoint.
        path.unlink()
    assert "begins anew" not in capsys.readouterr().out
    _run(tmp_path, **save)
    assert f"No checkpoint in {tmp_path}/run yet: begins anew." in capsys.readouterr().out
    _run(tmp_path, **save)
    assert "begins anew" not in capsys.readouterr().out
    begun = {"begun": False, "finished": False}
    assert saved == [
        (str(tmp_path / "run"), state)
        for state in (begun, begun, {"begun": True, "finished": True})
    ]
    assert (tmp_path / "run" / "run.json").exists()


@pytest.mark.parametrize("task", [_Task, _Detecting])
def test_shares_of_few_test_videos_are_told_with_their_error(tmp_path, capsys, task):
    (tmp_path / "records").mkdir()
    tiny.write_records(tmp_path / "records")
    assert _run(tmp_path, mode="train_and_eval", task=task) == task.results
    assert run_info.evaluated_step(f"{tmp_path}/run") == 1
    said = "Of 20 test videos alone: a share has a standard error of up to 11 points."
    shown = capsys.readouterr().out
    assert (said in shown) == ("standard error" in shown) == (task is _Task)
    assert run_info.read(f"{tmp_path}/run").frozen


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_checkpoints_without_run_json_are_refused_and_nothing_is_loaded_over_them(tmp_path, mode):
    (tmp_path / "records").mkdir()
    tiny.write_records(tmp_path / "records")
    _run(tmp_path)
    (tmp_path / "run" / "run.json").unlink()
    with pytest.raises(errors.UserError, match=f"{tmp_path}/run/run.json.*is gone.*--model_dir"):
        _run(tmp_path, mode=mode, pretrained="looked for in vain")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("bacdefgh", "label 0 is 'a'; .*labels.txt calls it 'b' now"),
        ("abcdefg", "label 7 is 'h'; .* calls it nothing now"),
        ("abcdefghi", "label 8 is nothing; .* calls it 'i' now"),
    ],
)
def test_a_run_whose_labels_were_changed_is_refused(tmp_path, labels, said):
    (tmp_path / "records").mkdir()
    tiny.write_records(tmp_path / "records")
    _run(tmp_path, task=_Classifying)
    (tmp_path / "records" / "labels.txt").write_text("\n".join(labels))
    for mode in ("train", "eval"):
        with pytest.raises(errors.UserError, match=said):
            _run(tmp_path, task=_Classifying, mode=mode)


def test_a_run_does_not_go_on_with_other_shards_but_is_evaluated(tmp_path, capsys):
    (tmp_path / "records").mkdir()
    tiny.write_records(tmp_path / "records")
    _run(tmp_path)
    next((tmp_path / "records").glob("train-*")).unlink()
    shards.write(tmp_path / "records", 3, 5)
    refusal = "8 videos in 1 shards of split 'train' .*8 videos in 2 shards .* now"
    with pytest.raises(errors.UserError, match=refusal):
        _run(tmp_path)
    assert _run(tmp_path, mode="eval")
    assert f"Evaluates step 1 of {tmp_path}/run." in capsys.readouterr().out
    # Earlier versions did not write down what is compared.
    path = tmp_path / "run" / "run.json"
    described = json.loads(path.read_text())
    del described["train_data"]
    path.write_text(json.dumps(described))
    _run(tmp_path)
    assert "in 2 shards" in run_info.read(str(path.parent)).train_data
    for shard in (tmp_path / "records").glob("train-*"):
        shard.unlink()
    shards.write(tmp_path / "records", 5, 3)
    with pytest.raises(errors.UserError, match="in 2 shards .* in 2 shards .* now"):
        _run(tmp_path)


def test_other_seeds_train_on_the_same_share_of_the_videos(tmp_path):
    (tmp_path / "records").mkdir()
    shards.write(tmp_path / "records", 9, labels=[0])
    kept = []

    def train_input(share, **named):
        del named
        kept.append(share.offsets)
        return tf.data.Dataset.from_tensors(0.0)

    for number, seeds in enumerate(({"seed": 1}, {"seed": 2}, {"subset_seed": 1})):
        given = {"task": _Fed, "train_input": train_input, "train_subset": 0.5}
        _run(tmp_path / str(number), data_dir=tmp_path / "records", **given, **seeds)
    assert kept[0] == kept[1] != kept[2]
