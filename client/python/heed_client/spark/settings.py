# SPDX-License-Identifier: Apache-2.0
"""Which servers a job asks, and how. Plain values: they travel to the executors, and nothing secret is among them."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any, Dict, Optional, Tuple

_ADDRESS = re.compile(r"(dns:///)?(\[[0-9a-fA-F:.%]+\]|[^\[\]:/,\s]+):([0-9]{1,5})|unix:\S+")


@dataclass(frozen=True)
class FleetSettings:
    """The keywords that every function of heed_client.spark takes. Files are those of the executors."""

    servers: Tuple[str, ...]
    """HOST:PORT each, or dns:///HOST:PORT for all addresses of a name."""
    tls: bool = False
    tls_ca: Optional[str] = None
    tls_cert: Optional[str] = None
    tls_key: Optional[str] = None
    tls_name: Optional[str] = None
    """The name in the servers' certificates, where it is not the host's."""
    token_file: Optional[str] = None
    """None: the executor's environment variable HEED_TOKEN, if it is set."""
    insecure_token: bool = False
    priority: int = 3
    """1, the most urgent, to 3: people who wait go first."""
    timeout_s: float = 60.0
    """Of one request to one server."""
    wait_s: float = 300.0
    """How long a task waits for a server to come back when none answers, before it fails."""
    requests_in_flight: int = 4
    """Of one task, over all servers."""
    rows_per_request: int = 64
    characters_per_request: int = 16_384
    """A row that is longer travels by itself."""
    max_message_bytes: int = 64 << 20
    """Of an answer."""

    def __post_init__(self) -> None:
        servers = [self.servers] if isinstance(self.servers, str) else list(self.servers)
        if not servers:
            raise ValueError("servers is empty, but must name at least one server")
        for server in servers:
            if not isinstance(server, str) or not _ADDRESS.fullmatch(server):
                raise ValueError(f"servers has {server!r}, but each must be HOST:PORT or dns:///HOST:PORT")
        if len(set(servers)) != len(servers):
            raise ValueError(f"servers has one of {', '.join(servers)} twice")
        object.__setattr__(self, "servers", tuple(servers))
        for name in ("requests_in_flight", "rows_per_request", "characters_per_request", "max_message_bytes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, but must be at least 1")
        for name in ("timeout_s", "wait_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}, but must be greater than 0")
        if self.priority not in (1, 2, 3):
            raise ValueError(f"priority is {self.priority!r}; it can be 1 (the most urgent), 2 or 3")
        if not self.tls and (self.tls_ca or self.tls_cert or self.tls_key or self.tls_name):
            raise ValueError("tls_ca, tls_cert, tls_key and tls_name are of no use without tls=True")


def split_settings(servers: Any, options: Dict[str, Any]) -> Tuple[FleetSettings, Dict[str, Any]]:
    """The settings among a function's keywords, and the rest, which is for the model."""
    names = {field.name for field in fields(FleetSettings)} - {"servers"}
    chosen = {name: value for name, value in options.items() if name in names}
    rest = {name: value for name, value in options.items() if name not in names}
    return FleetSettings(servers, **chosen), rest
