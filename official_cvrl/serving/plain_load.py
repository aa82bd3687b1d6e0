# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A script: loads a SavedModel with TensorFlow alone and writes down what it answers.

    python -I plain_load.py SAVED_MODEL REQUESTS ANSWERS [FOLDER …]

`trial.py` runs it in a process of its own. It must import nothing of this package. The folders are
where packages may lie that an isolated interpreter does not look for: PYTHONPATH, the user's own.
"""

import pickle
import statistics
import sys
import time

# To import one of these fails, wherever they lie.
_ABSENT = ("official_cvrl", "tfrecords_tools", "official", "tf_keras")


def main(saved_model: str, requests: str, answers: str, *folders: str) -> None:
    """Answers pickled requests, {signature: {input: array}}.

    Writes {signature: {"outputs": {name: array}, "seconds": a later call takes}}.
    """
    sys.path += [folder for folder in folders if folder not in sys.path]
    sys.modules.update(dict.fromkeys(_ABSENT))
    with open(requests, "rb") as file:
        asked = pickle.load(file)
    import tensorflow as tf

    signatures = tf.saved_model.load(saved_model).signatures
    answered = {}
    for name, inputs in asked.items():
        tensors = {key: tf.constant(value) for key, value in inputs.items()}
        outputs = _call(signatures[name], tensors)
        answered[name] = {"outputs": outputs, "seconds": _seconds(signatures[name], tensors)}
        print(f"  {name}: {1000 * answered[name]['seconds']:,.1f} ms a request", flush=True)
    with open(answers, "wb") as file:
        pickle.dump(answered, file)


def _call(signature, tensors):
    return {key: value.numpy() for key, value in signature(**tensors).items()}


def _seconds(signature, tensors, *, enough=0.2):
    """The median of calls that together take so many seconds, or of one that takes longer."""
    times = []
    while sum(times) < enough:
        start = time.perf_counter()
        _call(signature, tensors)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


if __name__ == "__main__":
    main(*sys.argv[1:])
