# SPDX-License-Identifier: Apache-2.0
"""python -m heed_server: runs heed-server."""

from .programs import run_heed_server

if __name__ == "__main__":
    run_heed_server()
