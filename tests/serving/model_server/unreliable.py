# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""A network that cuts connections and lets others hang: stands between clients and a server.

    python -m tests.serving.model_server.unreliable --target=127.0.0.1:PORT

Prints {"port": PORT} once it listens, on the loopback interface alone.
"""

import asyncio
import contextlib
import json
import random

from absl import app, flags

_TARGET = flags.DEFINE_string("target", None, "HOST:PORT of the server.", required=True)
_SECONDS = flags.DEFINE_float("seconds", 2.0, "A connection's mean time until its fault.")
_HANG_SHARE = flags.DEFINE_float("hang_share", 0.3, "Of faults: hangs; the others are cuts.")
_HANG_SECONDS = flags.DEFINE_float("hang_seconds", 5.0, "How long nothing passes, then it is cut.")
_CHUNK = 1 << 16


class _Connection:
    """Passes bytes both ways until its fault."""

    def __init__(self):
        self._open = asyncio.Event()
        self._open.set()

    async def run(self, reader, writer):
        """Serves one client."""
        with contextlib.suppress(OSError):
            host, port = _TARGET.value.split(":")
            there = await asyncio.open_connection(host, int(port))
            try:
                ways = [self._pass(reader, there[1]), self._pass(there[0], writer), self._fault()]
                tasks = [asyncio.ensure_future(way) for way in ways]
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    task.cancel()
            finally:
                there[1].transport.abort()
        writer.transport.abort()

    async def _pass(self, reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                await self._open.wait()
                writer.write(data)
                await writer.drain()

    async def _fault(self):
        await asyncio.sleep(random.expovariate(1 / _SECONDS.value))
        if random.random() < _HANG_SHARE.value:
            self._open.clear()
            await asyncio.sleep(_HANG_SECONDS.value)


async def _serve():
    async def serve_one(reader, writer):
        await _Connection().run(reader, writer)

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


def main(unused_argv):
    """Serves until it is ended."""
    asyncio.run(_serve())


if __name__ == "__main__":
    app.run(main)
