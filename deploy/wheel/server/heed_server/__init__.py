# SPDX-License-Identifier: Apache-2.0
"""Heed's server and command line as a Python package, without a compiler.

    with heed_server.Server() as server:
        ... server.address, for heed_client or any gRPC client ...
"""

from .programs import binary_path
from .server import Server, ServerError

__all__ = ["Server", "ServerError", "binary_path"]
