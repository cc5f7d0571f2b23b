#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the tests of client/python with pytest, of the package as it is installed.

    BUILD/python-client/bin/python3 tests/client/python_client_test.py --server=BUILD/bin/heed-server [PYTEST_ARGUMENT ...]

scripts/python_client.sh makes that Python. Without the package or pytest, exits 77 (ctest: skipped).
"""

import importlib.util
import os
import sys

for needed in ("heed_client", "pytest", "pytest_asyncio", "mypy"):
    if importlib.util.find_spec(needed) is None:
        print(f"skipped: there is no {needed}; scripts/python_client.sh installs it")
        sys.exit(77)
import pytest  # noqa: E402

CLIENT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../client/python"))

if __name__ == "__main__":
    flags = [f"--config-file={CLIENT}/pyproject.toml", f"--rootdir={CLIENT}", "-p", "no:cacheprovider", "-q", "-rs"]
    sys.exit(pytest.main([*flags, "--durations=5", *sys.argv[1:], f"{CLIENT}/tests"]))
