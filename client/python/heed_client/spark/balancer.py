# SPDX-License-Identifier: Apache-2.0
"""Which server of a fleet the next request goes to."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Collection, List, Optional

FIRST_LEFT_OUT_S = 0.25
MAX_LEFT_OUT_S = 10.0  # each time is twice the one before it, up to this one
MAX_DOUBLINGS = 10  # more than it takes


@dataclass
class _Server:
    outstanding: int = 0
    failures: int = 0  # since it last answered
    left_out_until: float = 0.0


@dataclass(frozen=True)
class Turn:
    """A request that a server has."""

    server: int
    failures: int  # of the server when the request began


class Balancer:
    """Picks the server with the fewest outstanding requests, at random among equals. A server that failed is left out for a
    time that doubles with each failure; then one request tries it, and only its answer brings the server back. No threads, no
    clock: callers pass the time, in seconds of a monotonic clock. Not thread-safe."""

    def __init__(self, count: int, generator: Optional[random.Random] = None) -> None:
        self._servers: List[_Server] = [_Server() for _ in range(count)]
        self._random = generator or random.Random()

    def pick(self, now: float, avoid: Collection[int] = ()) -> Optional[Turn]:
        """None: every server is left out, or to be avoided."""
        ready = [i for i, one in enumerate(self._servers) if i not in avoid and self._is_ready(one, now)]
        if not ready:
            return None
        fewest = min(self._servers[i].outstanding for i in ready)
        chosen = self._random.choice([i for i in ready if self._servers[i].outstanding == fewest])
        self._servers[chosen].outstanding += 1
        return Turn(chosen, self._servers[chosen].failures)

    def answered(self, turn: Turn) -> None:
        """The server is well, whatever it answered."""
        server = self._servers[turn.server]
        server.outstanding -= 1
        if turn.failures == server.failures:
            server.failures = 0

    def busy(self, turn: Turn, now: float, delay_s: float) -> None:
        """The server asked for a pause."""
        server = self._servers[turn.server]
        server.outstanding -= 1
        server.left_out_until = max(server.left_out_until, now + delay_s)

    def failed(self, turn: Turn, now: float) -> None:
        """The server did not answer. Requests that it lost together count as one failure."""
        server = self._servers[turn.server]
        server.outstanding -= 1
        if turn.failures == server.failures:
            longest_s = min(FIRST_LEFT_OUT_S * 2 ** min(server.failures, MAX_DOUBLINGS), MAX_LEFT_OUT_S)
            server.left_out_until = max(server.left_out_until, now + longest_s * self._random.uniform(0.5, 1))
            server.failures += 1

    def next_s(self, now: float) -> Optional[float]:
        """Until the time is over for which a server is left out. None: no time is running."""
        times = [server.left_out_until for server in self._servers if server.left_out_until > now]
        return min(times) - now if times else None

    def is_down(self, server: int) -> bool:
        return self._servers[server].failures > 0

    @staticmethod
    def _is_ready(server: _Server, now: float) -> bool:
        return server.left_out_until <= now and (server.failures == 0 or server.outstanding == 0)
