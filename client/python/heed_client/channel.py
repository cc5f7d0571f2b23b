# SPDX-License-Identifier: Apache-2.0
"""How a client's channel is set up: addresses, TLS, tokens, sizes, load balancing. Opens nothing."""

from __future__ import annotations

import ipaddress
import json
import os
import pathlib
import socket
from dataclasses import dataclass
from typing import Any, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

import grpc

Server = Union[str, Sequence[str]]
Path = Union[str, "os.PathLike[str]"]
Pairs = Union[Mapping[str, str], Iterable[Tuple[str, str]]]

COMPRESSIONS = {"gzip": grpc.Compression.Gzip, "deflate": grpc.Compression.Deflate}
POLICIES = ("pick_first", "round_robin")
MIN_KEEPALIVE_S = 10.0  # what heed-server's --min_ping_interval_s allows by default


@dataclass(frozen=True)
class ChannelSettings:
    target: str  # as gRPC takes it
    options: Tuple[Tuple[str, Any], ...]
    credentials: Optional[grpc.ChannelCredentials]  # None: plain text
    compression: Optional[grpc.Compression]
    token: str  # "": none


def _one_of(name: str, value: str, choices: Iterable[str]) -> str:
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; it can be {', '.join(map(repr, choices))}")
    return value


def _host(server: str) -> str:
    """Of an address, without gRPC's scheme, its port and brackets."""
    host = server.rpartition(":")[0] or server
    for scheme in ("dns:///", "dns:", "ipv4:", "ipv6:"):
        if host.startswith(scheme):
            host = host[len(scheme) :]
    return host.strip("[]")


def is_loopback(server: str) -> bool:
    """Whether what is sent to it stays on this machine."""
    if server.startswith(("unix:", "unix-abstract:")) or _host(server) == "localhost":
        return True
    addresses = _host(server).split(",") if "," not in server else [_host(one) for one in server.split(",")]
    try:
        return all(ipaddress.ip_address(address).is_loopback for address in addresses)
    except ValueError:
        return False


def _addresses(server: str) -> List[Tuple[int, str]]:
    """(IP version, "address:port") of "host:port", by this machine's resolver."""
    host, _, port = server.rpartition(":")
    if not host or not port.isdigit() or "/" in host:
        raise ValueError(
            f"server {server!r} of several must be HOST:PORT; a name with several addresses is dns:///HOST:PORT"
        )
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except OSError as error:
        raise ValueError(f"server {server!r}: {error.strerror or error}") from None
    addresses = []
    for family, _, _, _, where in found:
        address = str(where[0])
        if family == socket.AF_INET:
            addresses.append((4, f"{address}:{port}"))
        elif family == socket.AF_INET6:
            addresses.append((6, f"[{address}]:{port}"))
    return addresses


def make_target(servers: Sequence[str]) -> str:
    """gRPC's name of one address as it is, or of several. Host names among several are resolved here, once."""
    if len(servers) == 1:
        return servers[0]
    resolved = [_addresses(server) for server in servers]
    for version in (4, 6):
        chosen = [[address for found, address in addresses if found == version] for addresses in resolved]
        if all(chosen):
            unique = dict.fromkeys(address for addresses in chosen for address in addresses)
            return f"ipv{version}:" + ",".join(unique)
    raise ValueError(f"the servers {', '.join(servers)} have no version of IP in common")


def _read(path: Optional[Path]) -> Optional[bytes]:
    return None if path is None else pathlib.Path(path).read_bytes()


def _token(token_file: Optional[Path]) -> str:
    token = _read(token_file) if token_file is not None else os.fsencode(os.environ.get("HEED_TOKEN", ""))
    text = (token or b"").decode().strip()
    if token_file is not None and not text:
        raise ValueError(f"token_file={str(token_file)!r}: holds no token")
    return text


def _balancing(load_balancing: Optional[str], target: str) -> str:
    if load_balancing is not None:
        return _one_of("load_balancing", load_balancing, POLICIES)
    return "round_robin" if "," in target or target.startswith("dns:") else "pick_first"


def make_settings(
    server: Server,
    max_message_bytes: int = 64 << 20,
    tls: bool = False,
    tls_ca: Optional[Path] = None,
    tls_cert: Optional[Path] = None,
    tls_key: Optional[Path] = None,
    tls_name: Optional[str] = None,
    token_file: Optional[Path] = None,
    insecure_token: bool = False,
    keepalive_s: Optional[float] = None,
    compression: Optional[str] = None,
    load_balancing: Optional[str] = None,
    service_config: Optional[Mapping[str, Any]] = None,
) -> ChannelSettings:
    """The arguments are Client's."""
    servers = [server] if isinstance(server, str) else list(server)
    if not servers or not all(servers):
        raise ValueError(f"server is {server!r}, but must be an address, or a list of addresses")
    if max_message_bytes < 1:
        raise ValueError(f"max_message_bytes is {max_message_bytes}, but must be at least 1")
    if not tls and (tls_ca or tls_cert or tls_key or tls_name):
        raise ValueError("tls_ca, tls_cert, tls_key and tls_name are of no use without tls=True")
    if tls and len(servers) > 1 and tls_name is None:
        raise ValueError("several servers with tls=True need tls_name, the name in the certificate of each")
    if keepalive_s is not None and keepalive_s < MIN_KEEPALIVE_S:
        raise ValueError(
            f"keepalive_s is {keepalive_s}, but must be at least {MIN_KEEPALIVE_S:.0f}: servers cut off who pings more often"
        )
    if compression is not None:
        _one_of("compression", compression, COMPRESSIONS)
    token = _token(token_file)
    exposed = [one for one in servers if not is_loopback(one)]
    if token and exposed and not (tls or insecure_token):
        raise ValueError(f"the token would travel to {exposed[0]} in plain text; use tls, or insecure_token if it may")
    target = make_target(servers)
    config = {"loadBalancingConfig": [{_balancing(load_balancing, target): {}}], **(service_config or {})}
    options: List[Tuple[str, Any]] = [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.service_config", json.dumps(config)),
    ]
    if not exposed:  # gRPC sends calls to this machine through http_proxy, too, and with them the token
        options.append(("grpc.enable_http_proxy", 0))
    if keepalive_s is not None:
        options += [("grpc.keepalive_time_ms", int(keepalive_s * 1000)), ("grpc.keepalive_permit_without_calls", 1)]
    if tls_name is not None:
        options.append(("grpc.ssl_target_name_override", tls_name))
    credentials = grpc.ssl_channel_credentials(_read(tls_ca), _read(tls_key), _read(tls_cert)) if tls else None
    return ChannelSettings(
        target, tuple(options), credentials, COMPRESSIONS[compression] if compression else None, token
    )


def call_metadata(token: str, priority: Optional[int], metadata: Pairs) -> List[Tuple[str, str]]:
    """What travels with each call. The priority is 1 (the most urgent), 2 or 3."""
    pairs = list(metadata.items() if isinstance(metadata, Mapping) else metadata)
    if priority is not None:
        if priority not in (1, 2, 3):
            raise ValueError(f"priority is {priority!r}; it can be 1 (the most urgent), 2 or 3")
        pairs.append(("heed-priority", str(priority)))
    if token:
        pairs.append(("authorization", f"Bearer {token}"))
    return pairs
