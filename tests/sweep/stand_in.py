# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""In the place of train.py: notes its flags, and leaves the results that its bindings say.

`X` is the result; a negative one fails; 99 waits for a signal, which it notes, and 98 does not end
at it.
"""

import json
import pathlib
import signal
import sys
import time

flags = [argument.removeprefix("--").split("=", 1) for argument in sys.argv[1:]]
params = [value for name, value in flags if name == "gin_param"]
folder = pathlib.Path(dict(flags)["model_dir"])
folder.mkdir(parents=True, exist_ok=True)
with open(folder.parent / "calls.txt", "a", encoding="utf-8") as file:
    file.write(f"{folder.name} {dict(flags)['gin_file']} {'; '.join(params)}\n")
x = int(dict(param.split(" = ", 1) for param in params)["X"])
if x in (98, 99):

    def stop(number, frame):
        (folder / "stopped").write_text(str(number))
        if x == 99:
            sys.exit(143)

    signal.signal(signal.SIGTERM, stop)
    (folder / "waits").touch()
    end = time.monotonic() + 5  # A test whose signal does not arrive fails instead of waiting.
    while time.monotonic() < end:
        time.sleep(0.05)
if x < 0:
    sys.exit("error: it is negative")
(folder / "results.json").write_text(json.dumps({"top1": x / 10}))
