#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The C++ client library as `cmake --install` leaves it: a project elsewhere finds it, is built, and translates.

    installed_client_test.py BUILD_DIR HEED_SERVER
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
from heed_server import HeedServer  # noqa: E402


def run(*command):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(str(word) for word in command)}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


def main():
    build_dir, server_program = sys.argv[1:]
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        prefix = work / "prefix"
        run("cmake", "--install", build_dir, "--prefix", prefix, "--component", "dev")
        # Away from the tree, so that nothing is found there.
        shutil.copytree(HERE / "installed", work / "project")
        launcher = ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
        run("cmake", "-S", work / "project", "-B", work / "build", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}",
            *launcher)
        run("cmake", "--build", work / "build")
        with HeedServer(server_program, f"--models={HERE.parents[1] / 'weights' / 'translator-en-de'}") as server:
            translation = run(work / "build" / "consumer", server.address, "Good morning.")
        print(translation, end="")
        if translation != "Guten Morgen.\n":
            sys.exit("that is no translation of 'Good morning.'")


if __name__ == "__main__":
    main()
