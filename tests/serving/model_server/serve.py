# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A model server for tests: TensorFlow Serving's protocols, not its code.

    python -m tests.serving.model_server.serve --model_base_path=DIR [--port=0] [--rest_api_port=0]

Flags are named as those of tensorflow_model_server. Listens on the loopback interface alone and
prints {"grpc": PORT, "rest": PORT, ...} once it is ready.
"""

import json
import time

from absl import app, flags

from tests.serving.model_server import batching_config, grpc_service, rest, servable

_BASE = flags.DEFINE_string("model_base_path", None, "Folder of versions.", required=True)
_NAME = flags.DEFINE_string("model_name", "cvrl", "What requests call it.")
_PORT = flags.DEFINE_integer("port", 0, "Of gRPC.")
_REST_PORT = flags.DEFINE_integer("rest_api_port", 0, "Of REST.")
_BATCHING = flags.DEFINE_bool("enable_batching", False, "Run requests of several clients as one.")
_PARAMETERS = flags.DEFINE_string("batching_parameters_file", "", "A batching.config.")
_MESSAGE = flags.DEFINE_integer("max_message_bytes", (1 << 31) - 1, "More are refused.")
_THREADS = flags.DEFINE_integer("threads", 32, "Requests at once.")


def _parameters():
    if not _BATCHING.value:
        return None
    with open(_PARAMETERS.value, encoding="utf-8") as file:
        return batching_config.parse(file.read())


def main(unused_argv):
    """Serves until it is ended."""
    model = servable.load(_BASE.value, _NAME.value, _parameters())
    server, port = grpc_service.start(
        model,
        port=_PORT.value,
        threads=_THREADS.value,
        max_message_bytes=_MESSAGE.value,
    )
    _, rest_port = rest.start(model, port=_REST_PORT.value)
    ready = {"grpc": port, "rest": rest_port, "version": model.servable.version}
    print(json.dumps(ready | {"warmed": model.servable.num_warmed}), flush=True)
    try:
        while True:
            time.sleep(60)
    finally:
        server.stop(0)


if __name__ == "__main__":
    app.run(main)
