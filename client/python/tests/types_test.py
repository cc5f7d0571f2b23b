# SPDX-License-Identifier: Apache-2.0
"""The package's types, as a type checker sees them where the package is installed."""

import importlib.metadata
import importlib.util
import pathlib
import shutil
import subprocess
import sys

import heed_client

HERE = pathlib.Path(__file__).resolve().parent
CLIENT = HERE.parent


def mypy(folder, *arguments):
    """Its findings, or "" for none."""
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(folder / "mypy"), *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode in (0, 1), result.stderr
    return result.stdout if result.returncode else ""


def test_the_package_its_examples_and_a_user_s_program_are_typed(tmp_path):
    for program in (CLIENT / "example.py", CLIENT / "async_example.py", HERE / "typed_usage.py"):
        shutil.copy(program, tmp_path)  # away from the package's source
    assert mypy(tmp_path, "example.py", "async_example.py", "typed_usage.py") == ""
    assert mypy(tmp_path, f"--config-file={CLIENT}/pyproject.toml", "-p", "heed_client", "-p", "heed.v1") == ""


def test_the_wheel_holds_types_stubs_and_the_service_config():
    files = {str(file) for file in importlib.metadata.files("heed-client")}
    assert {"heed_client/py.typed", "heed/py.typed", "heed/v1/py.typed", "heed_client/service_config.json"} <= files
    modules = [path.stem for path in sorted((CLIENT.parents[1] / "proto/heed/v1").glob("*.proto"))]
    assert "translation" in modules
    for module in modules:
        for ending in ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi"):
            assert f"heed/v1/{module}{ending}" in files
    assert "tests" not in {file.split("/")[0] for file in files}


def test_metadata():
    metadata = importlib.metadata.metadata("heed-client")
    assert metadata["Version"] == heed_client.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.9"
    assert "Typing :: Typed" in metadata.get_all("Classifier")
    text = (CLIENT.parents[1] / "CMakeLists.txt").read_text(encoding="utf-8")
    assert f"project(heed VERSION {heed_client.__version__}" in text
    assert importlib.util.find_spec("heed_client").origin.startswith(sys.prefix)
