# SPDX-License-Identifier: Apache-2.0
"""The version, which scripts/wheel.sh knows: that of the heed-server whose folder of models this wheel adds to."""

import os

from setuptools import setup

version = os.environ.get("HEED_WHEEL_VERSION")
if not version:
    raise SystemExit("heed-models: build the wheel with scripts/wheel.sh")
setup(version=version, install_requires=[f"heed-server=={version}"])
