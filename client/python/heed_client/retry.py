# SPDX-License-Identifier: Apache-2.0
"""When a failed call is worth another try, and how long to wait before it. The methods, the status codes and the delays are
those of the service config that the package brings, client/service_config.json in Heed's tree; docs/errors.md explains the
policy. No threads, no clock: callers pass the time, in seconds of a monotonic clock."""

from __future__ import annotations

import functools
import json
import pathlib
import random
from dataclasses import dataclass
from typing import Any, Dict, FrozenSet, Mapping, Optional

import grpc

from heed_client.calls import Repeat
from heed_client.errors import HeedError

# An UNAVAILABLE server (not up yet, restarting, its model loading) is tried again for so long from the first failure on.
UNAVAILABLE_FOR_S = 30.0


@dataclass(frozen=True)
class RetryPolicy:
    """A service config's retryPolicy. gRPC's own retries end after maxAttempts; the client goes on until the deadline."""

    repeatable: FrozenSet[str]  # methods that change nothing on the server, as "heed.v1.TranslationService/Translate"
    codes: FrozenSet[grpc.StatusCode]
    first_delay_s: float
    max_delay_s: float
    multiplier: float  # of each delay over the one before it

    @staticmethod
    def from_service_config(config: Mapping[str, Any]) -> RetryPolicy:
        """ValueError: it does not have exactly one methodConfig with a retryPolicy."""
        configs = [one for one in config.get("methodConfig", ()) if "retryPolicy" in one]
        if len(configs) != 1:
            raise ValueError(f"the service config has {len(configs)} methodConfigs with a retryPolicy, but must have 1")
        policy = configs[0]["retryPolicy"]
        return RetryPolicy(
            frozenset(f"{name['service']}/{name['method']}" for name in configs[0]["name"]),
            frozenset(grpc.StatusCode[code] for code in policy["retryableStatusCodes"]),
            float(policy["initialBackoff"].rstrip("s")),
            float(policy["maxBackoff"].rstrip("s")),
            float(policy["backoffMultiplier"]),
        )


def service_config() -> Dict[str, Any]:
    """The service config that the package brings, as a new dictionary."""
    here = pathlib.Path(__file__).resolve()
    for path in (here.with_name("service_config.json"), here.parents[2] / "service_config.json"):
        if path.is_file():
            config: Dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return config
    raise FileNotFoundError(f"service_config.json is neither in {here.parent} nor in {here.parents[2]}")


@functools.lru_cache(maxsize=None)
def default_policy() -> RetryPolicy:
    return RetryPolicy.from_service_config(service_config())


class Backoff:
    """The time that a call may take with all its tries, and the pauses between them. Not thread-safe."""

    def __init__(self, policy: RetryPolicy, repeat: Repeat, timeout_s: float, now: float) -> None:
        self._policy = policy
        self._repeat = repeat
        self._deadline = now + timeout_s
        self._first_failure: Optional[float] = None
        self._delay_s = policy.first_delay_s

    def left_s(self, now: float) -> float:
        """Until the deadline; never 0, which gRPC would take for a timeout that has passed before it has begun."""
        return max(0.001, self._deadline - now)

    def delay_s(self, error: HeedError, now: float) -> Optional[float]:
        """How long to wait before the next try, no less than the server asks for. None: the error is final, or another try
        would come after the deadline."""
        asked_s = error.retry_delay_s
        if self._first_failure is None:
            self._first_failure = now
        if self._is_final(error.code(), asked_s, now - self._first_failure):
            return None
        delay_s = max(self._delay_s * random.uniform(0.5, 1), asked_s or 0.0)
        if now + delay_s >= self._deadline:
            return None
        self._delay_s = min(self._policy.multiplier * self._delay_s, self._policy.max_delay_s)
        return delay_s

    def _is_final(self, code: grpc.StatusCode, asked_s: Optional[float], failing_s: float) -> bool:
        if code not in self._policy.codes or (asked_s is not None and asked_s < 0):
            return True
        if code == grpc.StatusCode.RESOURCE_EXHAUSTED:
            return asked_s is None  # what will never fit: a message, a session, a graph
        return (asked_s is None and self._repeat is not Repeat.ALWAYS) or failing_s >= UNAVAILABLE_FOR_S
