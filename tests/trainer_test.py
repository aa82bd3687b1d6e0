# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The outer loop on a task of one weight: resume, interruption, NaN, summaries."""

import contextlib
import glob
import io
import itertools
import os
import signal
import types
from unittest import mock

import tensorflow as tf

from official_cvrl import checkpoints, errors, optimizers, progress, trainer
from tests import replicas


class _Halving:
    """Moves one weight halfway towards the batch's value, a step at a time."""

    clips_per_step = 4

    def __init__(self, *, signal_at=None, nan_at=None, inf_at=None):
        self.weight = tf.Variable(0.0, name="kernel")
        self.optimizer = optimizers.sgd(learning_rate=0.5, momentum=0.0)
        self.seen = []
        self._signal_at, self._bad = signal_at, {nan_at: float("nan"), inf_at: float("inf")}

    def checkpoint_items(self):
        return {"weight": self.weight, "optimizer": self.optimizer}

    def train_dataset(self, *, start_step):
        for step in range(start_step + 1, 1000):
            self.seen.append(step)
            if step == self._signal_at:
                os.kill(os.getpid(), signal.SIGTERM)
            yield {"value": tf.constant(self._bad.get(step, float(step)))}

    def train_step(self, batch):
        with tf.GradientTape() as tape:
            loss = tf.square(self.weight - batch["value"]) / 2
        optimizers.minimize(self.optimizer, tape, loss, [self.weight])
        return {"loss": loss}

    def preview(self, batch):
        return {"picture": tf.fill([1, 2, 2, 3], tf.cast(batch["value"], tf.uint8))}

    def evaluate(self, folder):
        self.told_folder = folder
        return {"weight": float(self.weight.numpy())}


class _LossOfReplica(_Halving):
    """The first replica's loss is 1, the second's is 2."""

    def train_step(self, batch):
        def loss():
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            return {"loss": 1.0 + tf.cast(replica, tf.float32)}

        return replicas.two_replicas().run(loss)


def _expected_weight(steps):
    weight = 0.0
    for step in range(1, steps + 1):
        weight += 0.5 * (step - weight)
    return weight


def _scalars(folder, name):
    found = {}
    for path in sorted(glob.glob(os.path.join(folder, "events*"))):
        for event in tf.compat.v1.train.summary_iterator(path):
            for value in event.summary.value:
                if value.tag == name:
                    found[event.step] = float(tf.make_ndarray(value.tensor))
    return found


class TrainerTest(tf.test.TestCase):
    def _folder(self):
        return os.path.join(self.get_temp_dir(), self.id())

    def _trainer(self, task, folder, profile=False, **loop):
        loop = {"train_steps": 6, "summary_interval": 1, "checkpoint_interval": 2} | loop
        made = trainer.Trainer(
            task=task,
            strategy=tf.distribute.get_strategy(),
            model_dir=folder,
            loop=trainer.Loop(**loop),
            profile=profile,
        )
        made.restore()
        return made

    def test_profiles_where_it_is_asked_to(self):
        for profile in (False, True):
            folder = self._folder() + str(profile)
            self._trainer(_Halving(), folder, profile=profile).train(evaluate=False)
            self.assertEqual(os.path.isdir(os.path.join(folder, "plugins/profile")), profile)

    def test_trains_and_writes_every_point(self):
        task, folder = _Halving(), self._folder()
        self._trainer(task, folder).train(evaluate=False)
        self.assertAllClose(task.weight, _expected_weight(6))
        losses = _scalars(os.path.join(folder, "train"), "loss")
        self.assertEqual(list(losses), [1, 2, 3, 4, 5, 6])
        self.assertAllClose(losses[3], (_expected_weight(2) - 3) ** 2 / 2)
        self.assertEqual(
            list(_scalars(os.path.join(folder, "train"), "clips_per_second")), [*losses]
        )

    def test_writes_the_mean_over_replicas(self):
        folder = self._folder()
        with replicas.two_replicas().scope():
            self._trainer(_LossOfReplica(), folder, train_steps=1).train(evaluate=False)
        self.assertEqual(list(_scalars(os.path.join(folder, "train"), "loss").values()), [1.5])

    def test_slow_steps_are_told_by_time_and_summaries_stay_at_their_steps(self):
        """Each look at the clock is ten seconds after the one before."""
        looks = itertools.count()
        clock = types.SimpleNamespace(monotonic=lambda: 10.0 * next(looks))
        folder, said = self._folder(), io.StringIO()
        with mock.patch.object(progress, "time", clock), contextlib.redirect_stderr(said):
            made = self._trainer(_Halving(), folder, summary_interval=6, checkpoint_interval=6)
            made.train(evaluate=False)
        first, *_, last = said.getvalue().splitlines()
        self.assertRegex(first, r"train: [123]/6 steps, .* \? left, loss \d")
        self.assertStartsWith(last, "train: 6/6 steps, ")
        self.assertEqual(list(_scalars(os.path.join(folder, "train"), "loss")), [6])

    def test_speed_and_wait_are_what_the_clock_says(self):
        """The clock goes on by half a second at each look.

        Three steps of four clips wait and compute for three times half a second each, and fetching
        their outputs takes one more: 3.5 s, of which 1.5 are input.
        """
        looks = itertools.count()
        clock = types.SimpleNamespace(perf_counter=lambda: 0.5 * next(looks))
        folder = self._folder()
        with mock.patch.object(trainer, "time", clock):
            made = self._trainer(_Halving(), folder, summary_interval=3, checkpoint_interval=6)
            made.train(evaluate=False)
        train = os.path.join(folder, "train")
        self.assertAllClose(_scalars(train, "clips_per_second"), {3: 12 / 3.5, 6: 12 / 3.5})
        self.assertAllClose(_scalars(train, "input_wait_share"), {3: 1.5 / 3.5, 6: 1.5 / 3.5})

    def test_goes_on_from_the_newest_checkpoint_and_its_data_position(self):
        folder = self._folder()
        self._trainer(_Halving(), folder, train_steps=4).train(evaluate=False)
        again = _Halving()
        self._trainer(again, folder).train(evaluate=False)
        self.assertEqual(again.seen[:2], [5, 6])
        self.assertAllClose(again.weight, _expected_weight(6))

    def test_passes_over_a_checkpoint_that_is_half_there(self):
        folder = self._folder()
        self._trainer(_Halving(), folder, train_steps=4).train(evaluate=False)
        for data in glob.glob(os.path.join(folder, "ckpt-4.data*")):
            os.truncate(data, os.path.getsize(data) // 2)
        again = _Halving()
        self._trainer(again, folder).train(evaluate=False)
        self.assertEqual(again.seen[:2], [3, 4])
        self.assertAllClose(again.weight, _expected_weight(6))
        self.assertEndsWith(checkpoints.latest(folder), "ckpt-6")

    def test_goes_on_without_the_file_that_names_the_checkpoints(self):
        folder = self._folder()
        self._trainer(_Halving(), folder, train_steps=4).train(evaluate=False)
        os.remove(os.path.join(folder, "checkpoint"))
        again = _Halving()
        self._trainer(again, folder).train(evaluate=False)
        self.assertEqual(again.seen[:2], [5, 6])

    def test_a_run_whose_checkpoints_are_all_damaged_does_not_begin_anew(self):
        folder = self._folder()
        self._trainer(_Halving(), folder, train_steps=4).train(evaluate=False)
        for data in glob.glob(os.path.join(folder, "ckpt-*.data*")):
            os.truncate(data, 0)
        with self.assertRaisesRegex(errors.UserError, f"No checkpoint in {folder} can be read"):
            self._trainer(_Halving(), folder)

    def test_passes_over_a_finished_run(self):
        folder = self._folder()
        self._trainer(_Halving(), folder).train(evaluate=False)
        again = _Halving()
        self._trainer(again, folder).train(evaluate=False)
        self.assertEqual(again.seen, [])

    def test_sigterm_saves_the_step_and_says_so(self):
        folder = self._folder()
        interrupted = self._trainer(_Halving(signal_at=3), folder)
        with self.assertRaisesRegex(trainer.Interrupted, "saved at step 3") as context:
            interrupted.train(evaluate=False)
        self.assertEqual(context.exception.exit_code, 143)
        self.assertEndsWith(checkpoints.latest(folder), "ckpt-3")
        again = _Halving()
        self._trainer(again, folder).train(evaluate=False)
        self.assertAllClose(again.weight, _expected_weight(6))

    def test_nan_stops_with_the_step_and_keeps_the_last_good_checkpoint(self):
        folder = self._folder()
        with self.assertRaisesRegex(errors.UserError, r"nan at step 5.*learning rate"):
            self._trainer(_Halving(nan_at=5), folder, summary_interval=3).train(evaluate=False)
        self.assertEndsWith(checkpoints.latest(folder), "ckpt-4")

    def test_an_infinite_loss_is_refused_as_nan_is(self):
        folder = self._folder()
        with self.assertRaisesRegex(errors.UserError, "inf at step 3"):
            self._trainer(_Halving(inf_at=3), folder, summary_interval=6).train(evaluate=False)
        self.assertEndsWith(checkpoints.latest(folder), "ckpt-2")

    def test_nan_is_not_saved_by_a_checkpoint_between_reports(self):
        folder = self._folder()
        with self.assertRaisesRegex(errors.UserError, "nan at step 3"):
            self._trainer(_Halving(nan_at=3), folder, summary_interval=6).train(evaluate=False)
        self.assertEndsWith(checkpoints.latest(folder), "ckpt-2")

    def test_evaluates_in_between_and_writes_it(self):
        folder = self._folder()
        made = self._trainer(_Halving(), folder, eval_interval=2)
        made.train(evaluate=True)
        # The files in the run's folder are all of the last evaluation.
        self.assertEqual(made._task.told_folder, "")
        self.assertEqual(made.evaluate(), {"weight": _expected_weight(6)})
        self.assertEqual(made._task.told_folder, folder)
        written = _scalars(os.path.join(folder, "eval"), "weight")
        self.assertAllClose(written, {step: _expected_weight(step) for step in (2, 4, 6)})

    def test_keeps_the_newest_checkpoints(self):
        folder = self._folder()
        self._trainer(_Halving(), folder, checkpoint_interval=1, max_to_keep=2).train(
            evaluate=False
        )
        kept = sorted(os.path.basename(p) for p in glob.glob(folder + "/*.index"))
        self.assertEqual(kept, ["ckpt-5.index", "ckpt-6.index"])

    def test_refuses_a_loop_of_no_steps(self):
        with self.assertRaisesRegex(ValueError, "eval_interval=0.5 must be a whole number"):
            trainer.Loop(train_steps=1, eval_interval=0.5)
        with self.assertRaisesRegex(ValueError, "train_steps=0 must be at least 1"):
            trainer.Loop(train_steps=0)


if __name__ == "__main__":
    tf.test.main()
