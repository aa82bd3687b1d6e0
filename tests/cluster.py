# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Several worker processes over loopback: what each has to know of the others."""

import contextlib
import json
import socket


def environments(num_workers):
    """Returns the environment variables of each worker of a new cluster."""
    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(num_workers)
        ]
        addresses = [f"127.0.0.1:{server.getsockname()[1]}" for server in servers]
    return [
        {
            "CUDA_VISIBLE_DEVICES": "-1",
            "TF_CONFIG": json.dumps(
                {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            ),
        }
        for index in range(num_workers)
    ]
