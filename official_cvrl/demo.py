# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The whole way once, by the commands a user types: from videos to a report.

Such as: python -m official_cvrl.demo --output=demo
"""

import json
import os
import pathlib
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence

from absl import app, flags

from official_cvrl import commands, errors, result_names
from official_cvrl.data import synthetic

_OUTPUT = flags.DEFINE_string("output", "demo", "Folder for everything that the demo makes.")


class Demo:
    """Runs the commands one after the other; what is done already is passed over.

    Args:
        output: folder for everything that is made.
    """

    def __init__(self, output: str):
        self.videos, self.records = f"{output}/videos", f"{output}/records"
        self.pretrained, self.linear = f"{output}/pretrain", f"{output}/linear_eval"
        self.random = f"{output}/linear_eval_random"
        self.saved_model = f"{output}/saved_model"
        self.embeddings, self.report = f"{output}/embeddings.npz", f"{output}/report.html"

    def run(self) -> None:
        """Makes everything, from video files to the report.

        Raises:
            UserError: a command failed.
        """
        self._write_videos()
        self._command(
            *("tfrecords_tools.convert", "--dataset=folder"),
            *(f"--videos={self.videos}", f"--output={self.records}"),
        )
        self._train("pretrain.gin", self.pretrained)
        self._train("linear_eval.gin", self.linear)
        self._train("linear_eval.gin", self.random, "--gin_param=run.pretrained = ''")
        run, saved = f"--model_dir={self.pretrained}", self.saved_model
        self._command("official_cvrl.serving.export", run, f"--output={saved}")
        self._command(
            *("official_cvrl.serving.extract", f"--saved_model={saved}"),
            *(f"--videos={self._a_test_video()}", f"--output={self.embeddings}"),
        )
        self._command("official_cvrl.report", run, f"--output={self.report}")

    def table(self) -> str:
        """Returns what came out of it, as the demo prints it."""
        rows = [
            ("CVRL", _results(self.linear)),
            ("random weights", _results(self.random)),
            ("chance", dict.fromkeys(("knn_top1", "top1"), 1 / len(synthetic.class_names()))),
        ]
        knn, linear = map(result_names.title, ("knn_top1", "linear_top1"))
        lines = [f"{'':16}{knn:>10}{linear:>14}"]
        lines += [
            f"{name:16}{measures['knn_top1']:>10.1%}{measures['top1']:>14.1%}"
            for name, measures in rows
        ]
        return "\n".join(lines)

    def paths(self) -> str:
        """Returns where the things are that the demo made."""
        made = {
            "report": self.report,
            "records": self.records,
            "backbone": self.pretrained,
            "SavedModel": self.saved_model,
            "embeddings": self.embeddings,
        }
        return "\n".join(f"{name:16}{path}" for name, path in made.items())

    def _write_videos(self):
        if os.path.isdir(self.videos):
            return
        print(f"Writing the embedded videos to {self.videos}", flush=True)
        synthetic.write_videos(self.videos)

    def _train(self, gin_file, model_dir, *more):
        places = (f"--data_dir={self.records}", f"--model_dir={model_dir}")
        _say_and_run(["train.py", f"--gin_file={gin_file}", *places, *more])

    def _command(self, module, *arguments):
        _say_and_run(["-m", module, *arguments])

    def _a_test_video(self):
        return str(min(pathlib.Path(self.videos, "test").rglob("*.mp4")))


def _say_and_run(arguments: Sequence[str]) -> None:
    print(f"\n$ python {' '.join(map(_quoted, arguments))}", flush=True)
    repository = pathlib.Path(__file__).resolve().parents[1]
    # An absolute script path, so that the demo may be started from any folder.
    real = [str(repository / "train.py")] + arguments[1:] if arguments[0] != "-m" else arguments
    path = os.pathsep.join(filter(None, [str(repository), os.environ.get("PYTHONPATH")]))
    code = subprocess.run(
        [sys.executable, *real], env=os.environ | {"PYTHONPATH": path}, check=False
    ).returncode
    if code:
        raise errors.UserError(f"the command above ended with exit code {code}; see what it says.")


def _quoted(argument):
    """As a person types it: gin's strings have single quotes of their own."""
    return f'"{argument}"' if "'" in argument else shlex.quote(argument)


def _results(model_dir):
    with open(os.path.join(model_dir, "results.json"), encoding="utf-8") as file:
        return json.load(file)


def main(unused_argv):
    """Runs the demo; returns the exit code."""
    return commands.exit_code(_run, interrupted="Interrupted; the same command goes on.")


def _run():
    started = time.monotonic()
    demo = Demo(_OUTPUT.value)
    demo.run()
    print(f"\n{demo.table()}\n\n{demo.paths()}")
    print(f"\nThe demo took {time.monotonic() - started:.0f} s.")


if __name__ == "__main__":
    app.run(main, flags_parser=commands.parse_flags)
