# SPDX-License-Identifier: Apache-2.0
"""The programs heed-server and heed, as the commands of the installation run them."""

import os
import pathlib
import signal
import sys
from typing import NoReturn

_BIN = pathlib.Path(__file__).resolve().parent / "bin"


def binary_path(program: str = "heed-server") -> str:
    """The file of `program`: "heed-server" or "heed". Raises FileNotFoundError if the installation has no such program."""
    path = _BIN / program
    if os.path.basename(program) != program or not path.is_file():
        known = ", ".join(sorted(entry.name for entry in _BIN.glob("*"))) or "none"
        raise FileNotFoundError(f"heed_server has no program {program!r}; it has: {known}")
    return str(path)


def _become(program: str) -> NoReturn:
    """The program takes this process over: its signals and its exit code are the caller's."""
    # Python ignores these, and a new program would inherit that.
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)
    os.execv(binary_path(program), [program, *sys.argv[1:]])


def run_heed_server() -> NoReturn:
    _become("heed-server")


def run_heed() -> NoReturn:
    _become("heed")
