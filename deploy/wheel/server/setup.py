# SPDX-License-Identifier: Apache-2.0
"""What pyproject.toml cannot say: the version, which scripts/wheel.sh knows; and that the wheel holds programs for one
kind of machine, but is for every Python."""

import os
import pathlib

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel

PROGRAMS = pathlib.Path(__file__).resolve().parent / "heed_server" / "bin"

version = os.environ.get("HEED_WHEEL_VERSION")
if not version or not (PROGRAMS / "heed-server").is_file():
    raise SystemExit(f"heed-server: there is no {PROGRAMS}/heed-server: build the wheel with scripts/wheel.sh")


class Programs(Distribution):
    def has_ext_modules(self):
        """So that everything goes where files for one kind of machine go."""
        return True


class WheelOfPrograms(bdist_wheel):
    def get_tag(self):
        return ("py3", "none", super().get_tag()[2])


setup(
    version=version,
    # heed-models adds to this package's folder of models, so both are of one version.
    extras_require={"models": [f"heed-models=={version}"], "client": [f"heed-client=={version}"]},
    distclass=Programs,
    cmdclass={"bdist_wheel": WheelOfPrograms},
)
