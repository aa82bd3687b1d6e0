# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""How far this package is from the published code and the paper's formulas, as a Markdown table.

    python -m benchmarks.fidelity

The numbers of docs/fidelity.md, but for the backbone's and the weights' (docs/weights.md has
those). The tests hold the same comparisons, at smaller sizes.
"""

import functools
import json
import os
import subprocess
import sys
import tempfile
import time

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import official_cvrl  # noqa: F401  isort: skip  (selects legacy Keras before TensorFlow is imported)
import numpy as np
import tensorflow as tf
from absl import app
from official.modeling import optimization
from official.projects.video_ssl.losses import losses as published_losses
from official.projects.video_ssl.ops import video_ssl_preprocess_ops as ops
from official.vision.ops import preprocess_ops_3d

from official_cvrl import commands, optimizers
from official_cvrl.data import augment, blur, color, photometric, sampling, seeds, spatial
from official_cvrl.modeling import heads, resnet_3d
from official_cvrl.objectives import info_nce
from tests.data import distributions, published, shards

_AUGMENTATION = augment.published()
_CLIP = {"num_frames": 16, "temporal_stride": 2}
_FIGURE_3 = (
    *((power, "decreasing") for power in (0.5, 1.0, 2.0)),
    (1.0, "uniform"),
    *((power, "increasing") for power in (1.0, 2.0)),
)
_STRATEGIES = (
    ("mirrored, 2 replicas", {"strategy": "mirrored", "replicas": 2}),
    ("mirrored, 4 replicas", {"strategy": "mirrored", "replicas": 4}),
    ("one device, whole step under XLA", {"strategy": "one_device", "xla": True}),
)


def main(unused_argv):
    """Measures section by section and prints a line for each number."""
    tf.get_logger().setLevel("ERROR")
    print(f"{time.strftime('%Y-%m-%d')}\n\n| what | measured |\n|---|---|", flush=True)
    for section in _SECTIONS:
        for what, measured in section():
            print(f"| {what} | {measured} |", flush=True)


def two_views():
    """Starts of the two clips: against the published code, and against P(t)."""
    lengths = (5, 30, 31, 32, 100, 250, 300)
    pairs = [(length, tf.constant([i, length])) for length in lengths for i in range(100)]
    different = sum(
        not np.array_equal(
            tf.stack(sampling.two_view_frames(length, seed=seed, **_CLIP)),
            published.two_starts(length, seed, **_CLIP),
        )
        for length, seed in pairs
    )
    yield "frames of two clips, given the same draws", f"{different} of {len(pairs)} differ"
    for power, trend in _FIGURE_3:
        draw = functools.partial(sampling.sample_interval, 270, power=power, trend=trend)
        intervals = _each(lambda seed, draw=draw: draw(seed=seed), 20000)
        share = np.arange(271) / 270
        if trend == "decreasing":
            cumulative = ((power + 1) * share - share ** (power + 1)) / power
        else:
            cumulative = share ** (power + 1 if trend == "increasing" else 1)
        found = distributions.chi2(
            np.bincount(intervals, minlength=270), 20000 * np.diff(cumulative)
        )
        yield f"intervals, {trend}, b = {power}, 270 positions", _against_limit(found)


def augmentation():
    """Every operation at 224², and the way from JPEG to the backbone's input."""
    clip = tf.constant(np.random.default_rng(0).uniform(size=[4, 224, 224, 3]), tf.float32)
    flat = tf.reshape(clip, [-1, 224, 3])
    amounts = np.linspace(0.2, 1.8, 9, dtype=np.float32)
    pairs = {
        "brightness": (color.brightness, lambda x, f: x * f, amounts),
        "contrast": (color.contrast, tf.image.adjust_contrast, amounts),
        "saturation": (color.saturation, tf.image.adjust_saturation, amounts),
        "hue": (color.hue, tf.image.adjust_hue, np.linspace(-0.2, 0.2, 9, dtype=np.float32)),
        "greyscale": (lambda x, _: color.greyscale(x), lambda x, _: ops.to_grayscale(x), [0]),
        "solarisation": (lambda x, _: color.solarize(x), _published_solarization, [0]),
    }
    for name, (ours, theirs, strengths) in pairs.items():
        worst = max(
            _deviation(
                tf.reshape(ours(clip, s), flat.shape), tf.clip_by_value(theirs(flat, s), 0, 1)
            )
            for s in strengths
        )
        yield name, f"{worst:.1e}"
    radius = blur.kernel_radius(224, largest_sigma=2.0)
    for sigma in (0.1, 1.0, 2.0):
        theirs = ops.gaussian_blur(clip, 224 // 10, sigma)
        ours = blur.gaussian_blur(clip, tf.constant(sigma), radius=radius)
        yield f"blur, σ = {sigma}", f"{_deviation(ours, theirs):.1e}"
    yield "whole path, 32 views of 16 × 224² from JPEGs", f"{_whole_path():.1e}"
    eager, compiled, alone = _photometric_three_ways()
    yield "colours: XLA against eager", f"{_deviation(eager, compiled):.1e}"
    yield "colours: alone against in a batch", f"{_deviation(alone, compiled):.1e}"


def draws():
    """What is drawn, against the distributions and under XLA."""
    for view in (0, 1):
        draw = functools.partial(photometric.draw, view=view, augmentation=_AUGMENTATION)
        plain, compiled = _each(draw, 20000), _each(draw, 20000, jit_compile=True)
        bits = sum(np.count_nonzero(a != b) for a, b in zip(plain, compiled, strict=True))
        yield f"view {view}: draws that XLA changes", bits
        flags = (plain.jitter, plain.greyscale, plain.blur, plain.solarize)
        yield (
            f"view {view}: jittered, grey, blurred, solarised",
            ", ".join(f"{np.mean(flag):.3f}" for flag in flags),
        )
        ranges = [(0.2, 1.8)] * 3 + [(-0.2, 0.2)]
        columns = zip([*plain.amounts.T, plain.sigma], [*ranges, (0.1, 2.0)], strict=True)
        found = [distributions.kolmogorov_smirnov(column, *r) for column, r in columns]
        yield f"view {view}: factors, hue, σ, the largest KS", _against_limit(max(found))
        _, counts = np.unique(plain.order, axis=0, return_counts=True)
        found = distributions.chi2(counts, np.full(24, 20000 / 24))
        yield f"view {view}: the 24 orders", _against_limit(found)
    size = tf.constant([3000, 3000])
    window, flip = _each(lambda s: spatial.draw(size, seed=s, augmentation=_AUGMENTATION), 20000)
    aspect = window[:, 3] / window[:, 2]
    least, most = 3000 * np.sqrt(0.3 / aspect), 3000 * np.minimum(1, 1 / aspect)
    height = np.clip((window[:, 2] - least) / (most - least), 0, 1)
    yield "flipped", f"{np.mean(flip):.3f}"
    found = distributions.kolmogorov_smirnov(np.clip(aspect, 0.5, 2), 0.5, 2)
    yield "crop's aspect", _against_limit(found)
    yield "crop's height within its range", _against_limit(distributions.kolmogorov_smirnov(height))


def loss():
    """InfoNCE against NumPy in float64 and against the published loss in float32."""
    random = np.random.default_rng(0)
    a = random.normal(size=[64, 128])
    b = a + random.normal(size=[64, 128])
    (value, accuracy, entropy), gradients = _loss_and_gradients(a, b)
    expected, expected_gradients = _numpy_loss(a, b)
    yield "loss, float64, relative", f"{abs(value / expected - 1):.1e}"
    yield "gradients, float64", f"{_relative(tf.concat(gradients, 0), expected_gradients):.1e}"
    a, b = a.astype(np.float32), b.astype(np.float32)
    (value, accuracy, entropy), gradients = _loss_and_gradients(a, b)
    hidden = tf.constant(np.concatenate([a, b]))
    model = tf.Module()
    model.kernel = tf.Variable(0.0, name="kernel")
    with tf.GradientTape() as tape:
        tape.watch(hidden)
        theirs = published_losses.contrastive_loss(hidden, 1, True, 0.1, model, 0.0)
    published_gradient = tape.gradient(theirs["contrastive_loss"], hidden)
    yield "published loss, float32, relative", f"{abs(value / theirs['contrastive_loss'] - 1):.1e}"
    yield "published gradient", f"{_relative(tf.concat(gradients, 0), published_gradient):.1e}"
    yield "published accuracy", f"{abs(accuracy - theirs['contrast_acc']):.1e}"
    yield "published entropy", f"{abs(entropy - theirs['contrast_entropy']):.1e}"


def schedules():
    """The learning rate of K600's 200 epochs, step by step."""
    total, warmup = 71488, 1787
    ours = optimizers.warmup_cosine(learning_rate=0.32, total_steps=total, warmup_steps=warmup)
    cosine = tf.keras.optimizers.schedules.CosineDecay(0.32, total)
    theirs = optimization.lr_schedule.LinearWarmup(cosine, warmup, 0.0)
    steps = np.arange(0, total + 1, 97)
    formula = 0.16 * (1 + np.cos(np.pi * steps / total))
    meeting = 0.16 * (1 + np.cos(np.pi * warmup / total))
    formula = np.where(steps < warmup, meeting * steps / warmup, formula)
    rates = np.array([float(ours(step)) for step in steps])
    yield "rate against the formula", f"{np.abs(rates - formula).max():.1e}"
    published_rates = np.array([float(theirs(step)) for step in steps])
    yield "rate against tf-models-official", f"{np.abs(rates - published_rates).max():.1e}"
    yield "parameters of R3D-50, R3D-101, R3D-50 with head", _parameters()


def evaluation():
    """Three crops of 256² and ten clips, against the published evaluation."""
    frames = tf.constant(shards.jpegs(4, height=300, width=400))
    decoded = preprocess_ops_3d.decode_jpeg(frames, 3)
    resized = preprocess_ops_3d.resize_smallest(decoded, 256)
    theirs = tf.concat(preprocess_ops_3d.crop_image(resized, 256, 256, num_crops=3), 0)
    crops = spatial.test_crops(
        spatial.decode_resized(frames, min_resize=256), crop_size=256, num_test_crops=3
    )
    ours = tf.reshape(crops, theirs.shape)
    yield "three crops, uint8", f"{np.count_nonzero(ours != theirs)} of {tf.size(ours)} differ"
    offsets = [0]
    for length in range(64, 301):
        dense = sampling.dense_clip_frames(
            length, num_frames=32, temporal_stride=2, num_test_clips=10
        )
        theirs = preprocess_ops_3d.sample_linspace_sequence(tf.range(length), 10, 32, 2)
        offsets.append(np.abs(dense.numpy().ravel() - theirs.numpy()).max())
    yield "ten clips of 32 frames, stride 2: frames apart at most", max(offsets)


def precision():
    """16 bits against float32: embeddings of R3D-50 of initial weights, norm of the difference."""
    clips = tf.constant(np.random.default_rng(0).uniform(size=[4, 8, 64, 64, 3]), tf.float32)
    exact = resnet_3d.ResNet3D()
    expected = exact(clips, training=False)["embedding"]
    for policy in ("mixed_bfloat16", "mixed_float16"):
        model = resnet_3d.ResNet3D(dtype=policy)
        model.set_weights(exact.get_weights())
        found = model(clips, training=False)["embedding"]
        deviation = np.linalg.norm(found - expected) / np.linalg.norm(expected)
        yield f"{policy}, embedding", f"{deviation:.1e}"


def strategies():
    """Five steps in float64 on one device, and on others."""
    with tempfile.TemporaryDirectory() as folder:
        expected = _update(folder, {"strategy": "one_device"})
        for what, settings in _STRATEGIES:
            found = _update(folder, settings)
            for kind, names in _kinds(expected).items():
                worst = max(
                    np.linalg.norm(found[n] - expected[n]) / max(np.linalg.norm(expected[n]), 1e-3)
                    for n in names
                )
                yield f"{what}: {kind}", f"{worst:.1e}"


_SECTIONS = (
    two_views,
    augmentation,
    draws,
    loss,
    schedules,
    evaluation,
    strategies,
    precision,
)


def _update(folder, settings):
    output = os.path.join(folder, "update.npz")
    command = [sys.executable, "-m", "tests.tasks.updates", json.dumps(settings), output]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with np.load(output) as values:
        return dict(values)


def _kinds(values):
    told = [name for name in values if name.startswith("step_")]
    return {
        "loss and measures": told,
        "weights, statistics, momentum": [n for n in values if n not in told],
    }


def _whole_path():
    worst = 0.0
    clip = _CLIP | {"crop_size": 224}
    for number in range(16):
        encoded = shards.jpegs(20 + 4 * number, height=240, width=320, seed=number)
        drawn = seeds.example_seeds(0, example_key=number, epoch=0, count=5)
        theirs = published.two_views(encoded, drawn, augmentation=_AUGMENTATION, **clip)
        indices = sampling.two_view_frames(len(encoded), seed=drawn[0], **_CLIP)
        for view in (0, 1):
            frames = spatial.random_crop_resize_flip(
                tf.gather(encoded, indices[view]),
                crop_size=224,
                seed=drawn[1 + view],
                augmentation=_AUGMENTATION,
            )
            ours = photometric.photometric(
                frames[tf.newaxis],
                drawn[3 + view][tf.newaxis],
                view=view,
                augmentation=_AUGMENTATION,
            )
            worst = max(worst, _deviation(ours[0], theirs[view]))
    return worst


def _photometric_three_ways():
    clips = tf.constant(np.random.default_rng(0).integers(0, 256, [16, 4, 112, 112, 3]), tf.uint8)
    drawn = _seeds(16)
    run = functools.partial(photometric.photometric, view=1, augmentation=_AUGMENTATION)
    radius = blur.kernel_radius(112, largest_sigma=2.0)
    eager = [
        photometric.apply(
            tf.cast(clip, tf.float32) / 255.0,
            photometric.draw(seed, view=1, augmentation=_AUGMENTATION),
            radius=radius,
        )
        for clip, seed in zip(clips, drawn, strict=True)
    ]
    alone = [run(clips[i : i + 1], drawn[i : i + 1]) for i in range(16)]
    return tf.stack(eager), run(clips, drawn), tf.concat(alone, axis=0)


def _published_solarization(image, _):
    return ops.random_solarization(image, p=1.0)


def _loss_and_gradients(a, b):
    pair = tf.constant(a), tf.constant(b)
    with tf.GradientTape() as tape:
        tape.watch(pair)
        outputs = info_nce.info_nce_loss(*pair)
    return outputs, tape.gradient(outputs.loss, pair)


def _numpy_loss(a, b):
    """Equation 1 in both directions and its derivative, by hand."""
    count, clips = len(a), np.concatenate([a, b])
    lengths = np.linalg.norm(clips, axis=1, keepdims=True)
    clips = clips / lengths
    terms = np.exp(clips @ clips.T / 0.1) * (1 - np.eye(2 * count))
    shares = terms / terms.sum(axis=1, keepdims=True)
    positives = np.roll(np.eye(2 * count), count, axis=1)
    by_logit = (shares - positives) / count
    by_clip = (by_logit + by_logit.T) @ clips / 0.1
    by_clip -= np.sum(by_clip * clips, axis=1, keepdims=True) * clips
    return -np.log((shares * positives).sum(axis=1)).sum() / count, by_clip / lengths


def _parameters():
    with tf.Graph().as_default():
        counts = []
        for depth in (50, 101):
            model = resnet_3d.ResNet3D(depth)
            model(tf.zeros([1, 4, 32, 32, 3]))
            counts.append(model.count_params())
        head = heads.ProjectionHead()
        head.build([None, 2048])
        head(tf.zeros([1, 2048]))
    return ", ".join(f"{n:,}" for n in (*counts, counts[0] + head.count_params()))


def _seeds(count):
    return tf.stack([tf.range(count), tf.fill([count], 11)], axis=1)


def _each(draw, count, jit_compile=False):
    types = tf.nest.map_structure(lambda part: part.dtype, draw(_seeds(1)[0]))

    @tf.function(jit_compile=jit_compile)
    def run():
        return tf.map_fn(draw, _seeds(count), fn_output_signature=types)

    return tf.nest.map_structure(lambda part: part.numpy(), run())


def _against_limit(found):
    return f"{found[0]:.3g} (limit {found[1]:.3g})"


def _deviation(ours, theirs):
    return float(tf.reduce_max(tf.abs(ours - theirs)))


def _relative(ours, theirs):
    theirs = np.asarray(theirs)
    return float(np.max(np.abs(np.asarray(ours) - theirs)) / np.max(np.abs(theirs)))


if __name__ == "__main__":
    app.run(main, flags_parser=commands.parse_flags)
