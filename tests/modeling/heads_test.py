# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The projection head against a chain of Keras layers; the linear classifier's properties."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from official_cvrl.modeling import heads


def _embeddings(dtype="float32"):
    return tf.constant(np.random.default_rng(1).normal(0.5, 1, [6, 5]), dtype)


def _keras_chain(head):
    """The published head's layers, with the variables of ours."""
    layers = []
    for hidden, norm in zip(head.hidden_layers, head.norms, strict=True):
        layers += [
            tf.keras.layers.Dense(head.hidden_dim, weights=hidden.get_weights()),
            tf.keras.layers.BatchNormalization(
                momentum=0.997, epsilon=1e-5, synchronized=True, weights=norm.get_weights()
            ),
            tf.keras.layers.ReLU(),
        ]
    output = tf.keras.layers.Dense(head.output_dim, weights=head.output_layer.get_weights())
    return tf.keras.Sequential([*layers, output])


def _randomize(layer):
    random = np.random.default_rng(2)
    for variable in layer.variables:
        variable.assign(random.uniform(-0.5, 1.5, variable.shape) ** 2)


class ProjectionHeadTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.product(num_hidden_layers=(0, 1, 3), training=(False, True))
    def test_equals_the_published_layers(self, num_hidden_layers, training):
        head = heads.ProjectionHead(num_hidden_layers, hidden_dim=7, output_dim=4)
        head(_embeddings())
        _randomize(head)
        chain = _keras_chain(head)
        expected = chain(_embeddings(), training=training)
        self.assertAllClose(head(_embeddings(), training=training), expected, 1e-4, 1e-5)
        moving = [value for norm in head.norms for value in norm.get_weights()[2:]]
        expected = [layer.get_weights()[2:] for layer in chain.layers if "norm" in layer.name]
        self.assertAllClose(moving, sum(expected, []), 1e-5, 1e-5)

    def test_number_of_parameters(self):
        with tf.Graph().as_default():
            head = heads.ProjectionHead()
            head.build([None, 2048])
            head(tf.zeros([1, 2048]))
            # With R3D-50's 31,725,248: 44,601,152.
            self.assertEqual(head.count_params(), 44_601_152 - 31_725_248)

    @parameterized.parameters(
        ("mixed_bfloat16", tf.float32), ("mixed_float16", tf.float32), ("float64", tf.float64)
    )
    def test_projections_keep_the_precision_of_the_variables(self, policy, dtype):
        head = heads.ProjectionHead(hidden_dim=7, output_dim=4, dtype=policy)
        self.assertEqual(head(_embeddings(), training=True).dtype, dtype)
        self.assertEqual(head.hidden_layers[0].compute_dtype, head.compute_dtype)
        self.assertEqual({variable.dtype for variable in head.variables}, {dtype})

    def test_config_round_trip(self):
        head = heads.ProjectionHead(
            1, hidden_dim=7, output_dim=4, norm_momentum=0.5, norm_epsilon=0.1, synchronized=False
        )
        again = tf.keras.layers.deserialize(tf.keras.layers.serialize(head))
        self.assertEqual(again.get_config(), head.get_config())
        for layers in (head, again):
            layers(_embeddings())
        again.set_weights(head.get_weights())
        self.assertAllEqual(again(_embeddings(), training=True), head(_embeddings(), training=True))
        norm = again.norms[0]
        self.assertEqual((norm.momentum, norm.epsilon, norm.synchronized), (0.5, 0.1, False))

    @parameterized.parameters(
        ({"num_hidden_layers": -1}, "num_hidden_layers .* -1"),
        ({"hidden_dim": 0}, "hidden_dim .* 0"),
        ({"output_dim": 0}, "output_dim .* 0"),
    )
    def test_refuses(self, kwargs, message):
        with self.assertRaisesRegex(ValueError, message):
            heads.ProjectionHead(**kwargs)


class LinearClassifierTest(tf.test.TestCase, parameterized.TestCase):
    def test_logits(self):
        for normalize in (True, False):
            classifier = heads.LinearClassifier(3, normalize_embedding=normalize)
            logits = classifier(_embeddings())
            kernel, _ = classifier.get_weights()
            embeddings = _embeddings().numpy()
            if normalize:
                embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
            self.assertAllClose(logits, embeddings @ kernel, 1e-5, 1e-6)

    def test_dropout_only_in_training(self):
        classifier = heads.LinearClassifier(3, normalize_embedding=False, dropout_rate=0.5)
        ones = tf.ones([1, 2000])
        plain = classifier(ones, training=False)
        classifier.set_weights([np.ones([2000, 3]), np.zeros([3])])
        self.assertAllClose(classifier(ones, training=False), [[2000.0] * 3])
        dropped = classifier(ones, training=True)
        # Sum of 2000 draws of 0 or 2: 2000 ± 45.
        self.assertAllInRange(dropped, 1700, 2300)
        self.assertNotAllClose(dropped, [[2000.0] * 3], atol=0.5)
        self.assertEqual(plain.shape, dropped.shape)

    @parameterized.parameters(("mixed_bfloat16", tf.float32), ("float64", tf.float64))
    def test_logits_keep_the_precision_of_the_variables(self, policy, dtype):
        classifier = heads.LinearClassifier(3, dtype=policy)
        self.assertEqual(classifier(_embeddings()).dtype, dtype)

    def test_config_round_trip(self):
        classifier = heads.LinearClassifier(3, normalize_embedding=False, dropout_rate=0.25)
        again = tf.keras.layers.deserialize(tf.keras.layers.serialize(classifier))
        self.assertEqual(again.get_config(), classifier.get_config())
        self.assertEqual(
            (again.num_classes, again.normalize_embedding, again.dropout.rate), (3, False, 0.25)
        )

    @parameterized.parameters(
        ({"num_classes": 0}, "num_classes .* 0"),
        ({"num_classes": 2, "dropout_rate": 1}, "dropout_rate .* 1"),
    )
    def test_refuses(self, kwargs, message):
        with self.assertRaisesRegex(ValueError, message):
            heads.LinearClassifier(**kwargs)


if __name__ == "__main__":
    tf.test.main()
