# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""From what a person names, a folder or an address, to a client."""

import re

from official_cvrl import errors
from official_cvrl.serving import client, local, over_grpc, over_rest


def connect(
    *, saved_model: str = "", server: str = "", model_name: str = "", connections: int = 1
) -> client.Client:
    """Returns a client; a server is not asked yet.

    Args:
        saved_model: folder of a SavedModel, or
        server: grpc://HOST:PORT, http://HOST:PORT or https://HOST:PORT.
        model_name: that the server has the model by.
        connections: requests at once.

    Raises:
        UserError: neither or both are given, the address is none, or there is no SavedModel.
    """
    if bool(saved_model) == bool(server):
        raise errors.UserError("give one of --saved_model=DIR and --server=grpc://HOST:PORT.")
    if saved_model:
        return local.Local(saved_model)
    found = re.fullmatch(r"(grpc|https?)://([^/\s]+:\d+)(/\S*)?", server)
    if not found or (found[1] == "grpc" and (found[3] or "/") != "/"):
        raise errors.UserError(
            f"--server={server} is no address; give grpc://HOST:PORT or http://HOST:PORT."
        )
    if found[1] == "grpc":
        return over_grpc.OverGrpc(found[2], model_name=model_name)
    return over_rest.OverRest(server, model_name=model_name, connections=connections)
