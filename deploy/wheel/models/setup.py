# SPDX-License-Identifier: Apache-2.0
"""The version, which scripts/wheel.sh knows: that of the heed-server whose folder of models this wheel adds to."""

import os

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel

version = os.environ.get("HEED_WHEEL_VERSION")
if not version:
    raise SystemExit("heed-models: build the wheel with scripts/wheel.sh")


class WheelBesideServer(bdist_wheel):
    """For every machine, but installed where heed-server's files for one kind of machine are (on Fedora lib64, not lib)."""

    def finalize_options(self):
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self):
        return ("py3", "none", "any")


setup(
    version=version,
    install_requires=[f"heed-server=={version}"],
    cmdclass={"bdist_wheel": WheelBesideServer},
)
