# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A script: loads a SavedModel with TensorFlow alone and writes down what it answers.

    python -I plain_load.py SAVED_MODEL REQUESTS ANSWERS

`trial.py` runs it in a process of its own. It must import nothing of this package.
"""

import pickle
import sys
import time

import tensorflow as tf


def main(saved_model: str, requests: str, answers: str) -> None:
    """Answers pickled requests, {signature: {input: array}}.

    Writes {signature: {"outputs": {name: array}, "seconds": of the second call}}.
    """
    with open(requests, "rb") as file:
        asked = pickle.load(file)
    signatures = tf.saved_model.load(saved_model).signatures
    answered = {}
    for name, inputs in asked.items():
        tensors = {key: tf.constant(value) for key, value in inputs.items()}
        signatures[name](**tensors)
        start = time.perf_counter()
        outputs = {key: value.numpy() for key, value in signatures[name](**tensors).items()}
        answered[name] = {"outputs": outputs, "seconds": time.perf_counter() - start}
        print(f"  {name}: {answered[name]['seconds']:.3g} s a request", flush=True)
    with open(answers, "wb") as file:
        pickle.dump(answered, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
