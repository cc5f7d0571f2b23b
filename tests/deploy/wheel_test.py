#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Python wheel heed-server, of the programs that are built: installed in an environment of its own, without an index,
and used with nothing else in the process's environment.

tests/deploy/wheel_test.py BUILD_DIR

Exits 77 (ctest: skipped) without the tools that scripts/wheel_tools.sh installs.
"""

import glob
import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest

TREE = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
# What glibc and GCC bring to every Linux, and zlib, which the tags "manylinux" count on.
OF_EVERY_LINUX = r"(ld-linux-x86-64|libc|libm|libgcc_s|libstdc\+\+|libz|libresolv|libnss_\w+)\.so(\.[\d.]+)?"
BUILD = None


def run(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


class WheelTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        wheels = os.path.join(cls.folder.name, "wheels")
        run(
            os.path.join(TREE, "scripts/wheel.sh"),
            "--server_only",
            f"--out={wheels}",
            f"--programs={BUILD}/bin",
            f"--tools={BUILD}/wheel-tools",
            env={**os.environ, "AUDITWHEEL_ZIP_COMPRESSION_LEVEL": "1"},  # for speed
        )
        (cls.wheel,) = glob.glob(f"{wheels}/*.whl")
        cls.venv = os.path.join(cls.folder.name, "venv")
        run(sys.executable, "-m", "venv", cls.venv)
        run(f"{cls.venv}/bin/pip", "install", "--quiet", "--no-index", "--no-compile", cls.wheel)
        (cls.package,) = glob.glob(f"{cls.venv}/lib/python*/site-packages/heed_server")

    def command(self, name):
        return os.path.join(self.venv, "bin", name)

    def start(self, *flags):
        """heed-server without any environment, away from the tree; its process and address."""
        server = subprocess.Popen(
            [self.command("heed-server"), "--listen=127.0.0.1:0", "--metrics_listen=", *flags],
            stderr=subprocess.PIPE,
            text=True,
            env={},
            cwd=self.folder.name,
        )
        self.addCleanup(server.stderr.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        address, log = None, []
        for line in server.stderr:
            log.append(line)
            if match := re.search(r" listening address=(\S+)", line):
                address = match[1]
            if " ready models=" in line:
                return server, address
        raise AssertionError("heed-server ended:\n" + "".join(log))

    def python(self, program):
        return run(self.command("python"), "-c", program, env={}, cwd=self.folder.name)

    def test_the_name_says_what_it_runs_on(self):
        self.assertRegex(os.path.basename(self.wheel), r"^heed_server-[\d.]+-py3-none-manylinux_2_\d+_x86_64\.whl$")

    def test_the_server_translates_without_flags_and_ends_as_signals_say(self):
        server, address = self.start()
        self.assertEqual(os.readlink(f"/proc/{server.pid}/exe"), os.path.realpath(f"{self.package}/bin/heed-server"))
        translate = [self.command("heed"), "translate", f"--server={address}", "--model=translator-en-de"]
        self.assertEqual(run(*translate, input="Where is the station?\n", env={}), "Wo ist der Bahnhof?\n")
        server.send_signal(signal.SIGTERM)
        self.assertEqual(server.wait(60), 0)

    def test_no_library_comes_from_the_machine(self):
        server, _ = self.start()
        with open(f"/proc/{server.pid}/maps", encoding="utf-8") as maps:
            mapped = {line.split(maxsplit=5)[5].strip() for line in maps if "/" in line}
        outside = {file for file in mapped if ".so" in file and not file.startswith(os.path.realpath(self.venv))}
        self.assertGreater(len(mapped - outside), 20, "the libraries of the wheel are mapped")
        others = [file for file in outside if not re.fullmatch(OF_EVERY_LINUX, os.path.basename(file))]
        self.assertEqual(others, [])
        resolved = run("ldd", f"{self.package}/bin/heed")
        self.assertNotIn("not found", resolved)

    def test_each_library_has_its_license(self):
        libraries = os.listdir(f"{os.path.dirname(self.package)}/heed_server.libs")
        (licenses,) = glob.glob(f"{os.path.dirname(self.package)}/heed_server-*.dist-info/licenses")
        self.assertIn("LICENSE", os.listdir(licenses))
        packages = os.listdir(f"{licenses}/libraries")
        for name in ("libgrpc", "libdnnl", "libicudata", "libgnutls"):
            self.assertTrue(any(library.startswith(name) for library in libraries), libraries)
        for package in ("libgrpc", "libdnnl", "libicu", "libgnutls", "libtinfo"):
            self.assertTrue(any(one.startswith(package) for one in packages), packages)
        self.assertIn("LGPL-2.1", os.listdir(f"{licenses}/common"))

    def test_a_wrong_flag_ends_the_command_as_it_ends_the_program(self):
        done = subprocess.run([self.command("heed-server"), "--modles=x"], stderr=subprocess.PIPE, text=True, env={})
        self.assertEqual(done.returncode, 2)
        self.assertIn("did you mean --models?", done.stderr)
        module = [self.command("python"), "-m", "heed_server", "--version"]
        self.assertRegex(run(*module, env={}, cwd=self.folder.name), r"^heed-server [\d.]+\n$")

    def test_the_program_ignores_no_signal_because_python_does(self):
        server, _ = self.start()
        with open(f"/proc/{server.pid}/status", encoding="utf-8") as status:
            ignored = int(re.search(r"^SigIgn:\s*(\w+)$", status.read(), re.MULTILINE)[1], 16)
        self.assertEqual(ignored, 1 << (signal.SIGPIPE - 1))  # as server/main.cc wants it; not SIGXFSZ

    def test_the_manual_pages_are_where_man_looks(self):
        for page in ("heed.1", "heed-server.1"):
            with open(f"{self.venv}/share/man/man1/{page}", encoding="utf-8") as file:
                self.assertIn(".TH", file.read(2000))

    def test_python_starts_and_stops_a_server(self):
        printed = self.python(
            """
import heed_server, subprocess
with heed_server.Server(threads=1, http_listen="127.0.0.1:0") as server:
    print(server.metrics_address, server.http_address.split(":")[0], server)
    print(subprocess.run([heed_server.binary_path("heed"), "models", "--server=" + server.address], check=True,
                         stdout=subprocess.PIPE, text=True).stdout)
print(server)
print(server.stop())
"""
        )
        self.assertRegex(printed, r"^None 127\.0\.0\.1 <heed_server\.Server 127\.0\.0\.1:\d+ running>\n")
        self.assertIn("translator-en-de", printed)
        self.assertRegex(printed, r"ended with exit code 0>\n0\n$")

    def test_python_hears_why_a_server_does_not_start(self):
        printed = self.python(
            """
import heed_server, tempfile
for flags in ({"precison": "int8"}, {"models": tempfile.mkdtemp()}, {"log_level": "warn"}):
    try:
        heed_server.Server(**flags)
    except (heed_server.ServerError, TypeError) as error:
        print(type(error).__name__, error)
try:
    heed_server.binary_path("../bin/heed")
except FileNotFoundError as error:
    print(error)
"""
        )
        self.assertIn("ServerError heed-server ended with exit code 2:\n", printed)
        self.assertIn("did you mean --precision?", printed)
        self.assertIn("ServerError heed-server is not ready: ", printed)
        self.assertIn("TypeError log_level cannot be given", printed)
        self.assertIn("it has: heed, heed-server", printed)

    def test_a_server_that_nobody_has_is_stopped(self):
        pid = int(self.python("import heed_server; server = heed_server.Server(threads=1); print(server.pid)"))
        self.assertFalse(os.path.exists(f"/proc/{pid}"))


if __name__ == "__main__":
    BUILD = os.path.abspath(sys.argv.pop(1))
    if not os.path.exists(f"{BUILD}/wheel-tools/bin/auditwheel"):
        print(f"skipped: there is no {BUILD}/wheel-tools; scripts/wheel_tools.sh installs it")
        sys.exit(77)
    unittest.main()
