# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Optimizers, learning-rate schedules, and the one place where gradients are averaged."""

from collections.abc import Sequence

import tensorflow as tf
from official.modeling import optimization
from official.modeling.optimization import lars as official_lars

Schedule = tf.keras.optimizers.schedules.LearningRateSchedule


def scaled_rate(
    *, learning_rate: float, reference_batch_size: int, global_batch_size: int
) -> float:
    """Returns a learning rate given for one batch size, scaled linearly to another.

    Args:
        learning_rate: the rate at `reference_batch_size` (paper: 0.32 at 1024).
        reference_batch_size: videos in the batch the rate was found for.
        global_batch_size: videos in this run's batch, over all replicas.
    """
    return learning_rate * global_batch_size / reference_batch_size


def warmup_cosine(
    *, learning_rate: float, total_steps: int, warmup_steps: int | float = 0
) -> Schedule:
    """Half-period cosine decay to zero after a linear warm-up from zero (paper, section 4.1).

    Args:
        learning_rate: the rate that the cosine starts from; warm-up meets it on its way down.
        total_steps: steps of the whole run, warm-up included; the rate is zero there.
        warmup_steps: steps over which the rate rises linearly; below 1, their share of the run.

    Raises:
        ValueError: warm-up is not shorter than the run.
    """
    warmup_steps = _steps(warmup_steps, total_steps)
    cosine = tf.keras.optimizers.schedules.CosineDecay(learning_rate, total_steps)
    return _warm_up(cosine, warmup_steps)


def warmup_steps_decay(
    *,
    learning_rate: float,
    boundaries: Sequence[int],
    total_steps: int,
    factor: float = 0.1,
    warmup_steps: int | float = 0,
) -> Schedule:
    """Multiplies the rate by `factor` at each boundary, after a linear warm-up (1x schedule).

    Args:
        learning_rate: the rate after warm-up.
        boundaries: steps at which the rate drops, increasing, below total_steps.
        total_steps: steps of the whole run.
        factor: what the rate is multiplied with at each boundary.
        warmup_steps: steps over which the rate rises linearly; below 1, their share of the run.

    Raises:
        ValueError: boundaries that do not increase or lie outside the run; too long a warm-up.
    """
    warmup_steps = _steps(warmup_steps, total_steps)
    boundaries = list(boundaries)
    if boundaries != sorted(set(boundaries)) or (boundaries and boundaries[-1] >= total_steps):
        raise ValueError(f"boundaries {boundaries} must increase and lie below {total_steps=}.")
    rates = [learning_rate * factor**drops for drops in range(len(boundaries) + 1)]
    steps = tf.keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, rates)
    return _warm_up(steps, warmup_steps)


def sgd(*, learning_rate: float | Schedule, momentum: float = 0.9):
    """Stochastic gradient descent with momentum, not Nesterov's (paper, section 4.1)."""
    return tf.keras.optimizers.legacy.SGD(learning_rate, momentum=momentum)


def adam(*, learning_rate: float | Schedule):
    """Adam; for the small runs on embedded data."""
    return tf.keras.optimizers.legacy.Adam(learning_rate)


def lars(*, learning_rate: float | Schedule, momentum: float = 0.9, weight_decay: float = 0.0):
    """LARS for large batches; biases and batch norm are neither adapted nor decayed.

    Args:
        learning_rate: a rate or schedule.
        momentum: of the velocity.
        weight_decay: inside the optimizer; leave the task's weight decay at 0 with it.
    """
    excluded = ["bias", "beta", "gamma"]
    return official_lars.LARS(
        learning_rate,
        momentum=momentum,
        weight_decay_rate=weight_decay,
        exclude_from_weight_decay=excluded,
        exclude_from_layer_adaptation=excluded,
    )


def prepare(optimizer, variables: Sequence[tf.Variable]):
    """Returns the optimizer as the precision of the process needs it, with its slots made.

    Under "mixed_float16" it is wrapped: the loss is scaled so that small gradients survive. Without
    the slots the first step would make them, and TensorFlow trace it twice for that.

    Args:
        optimizer: a legacy Keras optimizer.
        variables: what it will update.
    """
    if tf.keras.mixed_precision.global_policy().name == "mixed_float16":
        optimizer = tf.keras.mixed_precision.LossScaleOptimizer(optimizer)
    # Keras makes them in `apply_gradients`, and has no public name for it alone.
    optimizer._create_all_weights(variables)
    return optimizer


def minimize(
    optimizer, tape: tf.GradientTape, loss: tf.Tensor, variables: Sequence[tf.Variable]
) -> None:
    """Updates the variables with the gradient of the loss averaged over the replicas.

    Called in replica context.

    Args:
        optimizer: a legacy Keras optimizer, loss scaling included or not.
        tape: the tape that recorded `loss`.
        loss: scalar, this replica's mean.
        variables: trainable variables, all of which the loss must depend on.

    Raises:
        ValueError: some variables have no gradient; they are named.
    """
    apply(optimizer, gradients(tape, loss, variables, loss_gradient(optimizer, loss)), variables)


def loss_gradient(optimizer, loss: tf.Tensor) -> tf.Tensor:
    """Returns what the gradients of this replica's loss start from, a scalar like it.

    `apply` sums the replicas' gradients. Equation 1 is a mean over the global batch, so each
    replica's share is divided by their number here, and nowhere else: the update does not depend
    on how many replicas share the batch. Under loss scaling it is scaled here too.
    """
    share = tf.ones_like(loss) / tf.distribute.get_replica_context().num_replicas_in_sync
    return optimizer.get_scaled_loss(share) if _scales_loss(optimizer) else share


def gradients(
    tape: tf.GradientTape, targets, variables: Sequence[tf.Variable], output_gradients
) -> Sequence[tf.Tensor]:
    """Returns the tape's gradients of the targets by all of the variables.

    Raises:
        ValueError: some variables have no gradient; they are named.
    """
    found = tape.gradient(targets, variables, output_gradients=output_gradients)
    unused = [v.name for v, gradient in zip(variables, found, strict=True) if gradient is None]
    if unused:
        raise ValueError(f"The loss does not depend on the variables {unused}.")
    return found


def apply(optimizer, gradients: Sequence[tf.Tensor], variables: Sequence[tf.Variable]) -> None:
    """Updates the variables, in replica context, with gradients that began at `loss_gradient`."""
    if _scales_loss(optimizer):
        gradients = optimizer.get_unscaled_gradients(gradients)
    optimizer.apply_gradients(zip(gradients, variables, strict=True))


def _scales_loss(optimizer):
    return isinstance(optimizer, tf.keras.mixed_precision.LossScaleOptimizer)


def _steps(warmup_steps, total_steps):
    if not 0 <= warmup_steps < total_steps:
        raise ValueError(
            f"{warmup_steps=} must be at least 0 and less than {total_steps=}; give a short run "
            "fewer, or a share of it such as 0.05."
        )
    return round(warmup_steps * total_steps) if warmup_steps < 1 else warmup_steps


def _warm_up(schedule, warmup_steps):
    if not warmup_steps:
        return schedule
    return optimization.LinearWarmup(schedule, warmup_steps=warmup_steps, warmup_learning_rate=0.0)
