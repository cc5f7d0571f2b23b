# SPDX-License-Identifier: Apache-2.0
"""A heed-server that a Python program starts and stops."""

import collections
import json
import logging
import os
import subprocess
import threading
import time
import weakref
from types import TracebackType
from typing import IO, Any, Deque, Dict, List, Optional, Type, Union

from .programs import binary_path

# The server's log, by its own levels. Nothing is shown below WARNING unless the program sets logging up.
_log = logging.getLogger("heed_server")
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_KEPT_LINES = 50  # for the message of an error

Flag = Union[str, int, float, bool, "os.PathLike[str]"]


class ServerError(RuntimeError):
    """The server ended, has no model that serves, or was not ready in time. The message holds the last lines of its log."""


class Server:
    """A running heed-server: ready once the constructor returns, stopped at the end of a `with` block.

    `flags` are those of heed-server, with an underscore where it has one: Server(precision="int8", threads=4). Without
    `models` it serves the models that are installed. It listens on 127.0.0.1, on a port that the kernel chooses, and
    answers /metrics only with metrics_listen="127.0.0.1:0" or another address. Its log goes to the logger "heed_server".

    Any thread may use it. The server outlives neither the object nor a Python program that ends in order; it does
    outlive one that is killed.
    """

    def __init__(
        self, models: "Union[str, os.PathLike[str], None]" = None, *, ready_timeout_s: float = 120, **flags: Flag
    ) -> None:
        """Raises ServerError if a flag is wrong, no model can be served, or it takes more than `ready_timeout_s`."""
        for flag in ("log_format", "log_level"):
            if flag in flags:
                raise TypeError(f"{flag} cannot be given: Server reads the log; set the level of the logger heed_server")
        settings: Dict[str, Flag] = {"listen": "127.0.0.1:0", "metrics_listen": "", **flags}
        if models is not None:
            settings["models"] = models
        command = [binary_path(), "--log_format=json", *(_argument(name, value) for name, value in settings.items())]
        # In a session of its own: a terminal's Ctrl-C is for the program, which then stops the server.
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        )
        self._finalizer = weakref.finalize(self, _end, self._process)
        assert self._process.stderr is not None
        self._state = _LogReader(self._process.stderr)
        try:
            self._wait_until_ready(ready_timeout_s)
        except BaseException:
            self._finalizer()
            raise

    @property
    def address(self) -> str:
        """Where gRPC listens, as HOST:PORT."""
        return self._state.addresses["listening"]

    @property
    def http_address(self) -> Optional[str]:
        """Where HTTP takes requests, as HOST:PORT. None without http_listen."""
        return self._state.addresses.get("http")

    @property
    def metrics_address(self) -> Optional[str]:
        """Where HTTP answers /metrics, as HOST:PORT. None without metrics_listen."""
        return self._state.addresses.get("metrics")

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self, timeout_s: Optional[float] = None) -> int:
        """Ends the server as SIGTERM does: it finishes what it accepted. Returns its exit code, also if it ended before.

        Raises subprocess.TimeoutExpired if it is still at work after `timeout_s`; it can be stopped again.
        """
        if self._process.poll() is None:
            self._process.terminate()
        code = self._process.wait(timeout_s)
        self._finalizer.detach()
        self._state.finish()
        return code

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        code = self._process.poll()
        return f"<heed_server.Server {self.address} {'running' if code is None else f'ended with exit code {code}'}>"

    def _wait_until_ready(self, timeout_s: float) -> None:
        if self._state.wait_for_ready(timeout_s):
            return
        if self._state.not_ready:
            raise ServerError(f"heed-server is not ready: {self._state.not_ready}\n{self._state.last_lines()}")
        if self._state.ended:
            raise ServerError(f"heed-server ended with exit code {self._process.wait()}:\n{self._state.last_lines()}")
        raise ServerError(f"heed-server was not ready after {timeout_s:g} s:\n{self._state.last_lines()}")


def _argument(name: str, value: Flag) -> str:
    if isinstance(value, bool):
        return f"--{name}={'true' if value else 'false'}"
    return f"--{name}={os.fspath(value) if isinstance(value, os.PathLike) else value}"


def _end(process: "subprocess.Popen[bytes]") -> None:
    """The server of an object that nobody has any more: a second signal ends it at once."""
    for _ in range(2):
        process.terminate()
        try:
            process.wait(5)
            return
        except subprocess.TimeoutExpired:
            pass
    process.kill()
    process.wait()


class _LogReader:
    """Reads the server's log in a thread of its own, so that the server never waits for a reader."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.addresses: Dict[str, str] = {}
        self.ended = False
        self.not_ready = ""  # the reason, once every model was tried
        self._ready = False
        self._lines: Deque[str] = collections.deque(maxlen=_KEPT_LINES)
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(stream,), name="heed-server log", daemon=True)
        self._thread.start()

    def wait_for_ready(self, timeout_s: float) -> bool:
        """Whether the server is ready. False: it never will be, it ended, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self.not_ready or self.ended, timeout_s)
            return self._ready

    def last_lines(self) -> str:
        with self._changed:
            return "\n".join(self._lines)

    def finish(self) -> None:
        self._thread.join()

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            for raw in stream:
                self._take(raw.decode(errors="replace").rstrip("\n"))
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def _take(self, line: str) -> None:
        level, event, values = logging.WARNING, "", {}  # type: int, str, Dict[str, Any]
        try:
            values = json.loads(line)
            level = _LEVELS.get(values.pop("level"), logging.WARNING)
            event = values.pop("event")
            values.pop("time")
            line = " ".join([event, *(f"{name}={value}" for name, value in values.items())])
        except (ValueError, KeyError, AttributeError):
            pass  # not of the log: a wrong flag, a library's own words
        with self._changed:
            self._lines.append(line)
            if event in ("listening", "http", "metrics") and "address" in values:
                self.addresses[event] = str(values["address"])
            self._ready = self._ready or event == "ready"
            if event == "not_ready" and not self._ready:
                self.not_ready = str(values.get("reason", event))
            self._changed.notify_all()
        _log.log(level, "%s", line)
