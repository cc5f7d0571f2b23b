# SPDX-License-Identifier: Apache-2.0
"""README.md's programs and the examples run as they are, with another address."""

import pathlib
import re
import subprocess
import sys

import pytest

CLIENT = pathlib.Path(__file__).resolve().parents[1]
README = (CLIENT / "README.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^## (.*?)$|^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def programs():
    """Each with the heading that it is under."""
    heading = ""
    for title, program in PROGRAMS:
        heading = title or heading
        if program:
            yield pytest.param(program, id=heading)


def run(folder, *arguments, text=None):
    result = subprocess.run(
        [sys.executable, *arguments], cwd=folder, input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("program", list(programs()))
def test_readme_s_program_runs(program, server, tmp_path):
    (tmp_path / "book.txt").write_text("Call me Ishmael. " * 50, encoding="utf-8")
    port = server.address.rpartition(":")[2]
    assert ":50051" in program
    run(tmp_path, "-c", program.replace(":50051", f":{port}"))


def test_there_is_a_program_under_most_headings():
    assert len(list(programs())) >= 9


def test_examples_run(server, tmp_path):
    flag = f"--server={server.address}"
    said = run(tmp_path, str(CLIENT / "example.py"), flag, "Two dogs play.")
    assert said.startswith("Two dogs play. -> ")
    lines = run(tmp_path, str(CLIENT / "async_example.py"), flag, "--in_flight=2", text="Two dogs.\n\nA man.\nA cat.\n")
    assert len(lines.splitlines()) == 4
    nowhere = [sys.executable, str(CLIENT / "async_example.py"), flag, "--model=none"]
    result = subprocess.run(nowhere, input="a\n", capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1
    assert "NOT_FOUND" in result.stderr
